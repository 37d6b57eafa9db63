#include "qfw/layers.h"

#include <fmt/format.h>

#include <string>

#include "qfw/error.h"

namespace qfw::layers {

Value conv(GraphBuilder& g, std::string_view name, Value x, const Conv& attributes) {
  const auto scope = g.scope(name);
  const Shape shape = x.shape();
  if (shape.rank() != 4 || attributes.features < 1 || attributes.groups < 1 || shape[3] % attributes.groups != 0) {
    fail(Error::Category::graph, "conv",
         fmt::format("x is {}, features = {}, groups = {}", x.type().str(), attributes.features, attributes.groups),
         "layer " + g.path(), "x must be [N, H, W, C], features at least 1, and groups must divide C");
  }
  const auto [height, width] = attributes.kernel;
  const Value kernel =
      g.parameter("kernel", {height, width, shape[3] / attributes.groups, attributes.features}, Init::lecun_normal());
  const Padding padding = attributes.padding ? *attributes.padding : same_padding(shape, attributes.kernel, attributes.stride);
  const Value dst = conv2d(x, kernel, {attributes.stride, padding, attributes.groups, attributes.src_signed});
  return attributes.bias ? dst + g.parameter("bias", {attributes.features}, Init::zeros()) : dst;
}

Value linear(GraphBuilder& g, std::string_view name, Value x, const Linear& attributes) {
  const auto scope = g.scope(name);
  const Shape shape = x.shape();
  if (shape.rank() != 2 || attributes.features < 1) {
    fail(Error::Category::graph, "linear", fmt::format("x is {}, features = {}", x.type().str(), attributes.features),
         "layer " + g.path(), "x must be [N, C], features at least 1");
  }
  const Value dst = dense(x, g.parameter("kernel", {shape[1], attributes.features}, Init::lecun_normal()));
  return attributes.bias ? dst + g.parameter("bias", {attributes.features}, Init::zeros()) : dst;
}

Value batch_norm(GraphBuilder& g, std::string_view name, Value x, const BatchNorm& attributes) {
  const auto scope = g.scope(name);
  const Shape channel{x.shape().channels()};
  const Value gamma = g.parameter("gamma", channel, Init::constant(attributes.gamma)),
              beta = g.parameter("beta", channel, Init::zeros());
  constexpr auto role = Variable::Role::batch_statistics;
  const Value mean = g.state("mean", channel, Init::zeros(), role),
              variance = g.state("variance", channel, Init::constant(1), role);
  if (!g.training()) return normalize(x, {mean, variance}, gamma, beta, attributes.epsilon);

  const Moments batch = moments(x);
  // As the decimal its author wrote: 1 - 0.9 rounds to the float 0.1, while 1 - 0.9f is 0.10000002.
  const double momentum = std::stod(fmt::format("{}", attributes.momentum));
  const auto follow = [&](Value running, Value value) {
    g.assign(running, momentum * running + (1 - momentum) * all_reduce(value, Across::mean));
  };
  follow(mean, batch.mean);
  follow(variance, batch.variance);
  return normalize(x, batch, gamma, beta, attributes.epsilon);
}

}  // namespace qfw::layers
