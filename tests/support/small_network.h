#pragma once

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "graph_maker.h"
#include "qfw/frozen_model.h"
#include "qfw/random.h"

namespace qfw::test {

/// A frozen network of each thing that ResNets have: codes with a sign and without, strides and margins that are not even, a
/// shortcut, a pooling, a mean, a dense layer with a bias. [batch, 9, 7, 3] to 5 classes.
class SmallNetwork {
 public:
  explicit SmallNetwork(std::int64_t batch, std::uint64_t seed = 1) : random_(seed, 3), batch_(batch) {}

  FrozenModel make() {
    const Use images = maker_.input("images", {{batch_, 9, 7, 3}, DType::f32});
    const Use first = layer("first", images, {3, 3, 3, 8}, {.stride = {2, 1}, .padding = {{1, 0}, {0, 1}}}, true);
    const Use pooled = maker_.add(Op::max_pool, {first}, Pool{{3, 3}, {2, 2}, {{0, 0}, {1, 1}}}, "pool");
    const Use second = layer("block/second", pooled, {3, 3, 8, 8}, {.padding = {{1, 1}, {1, 1}}}, false);
    const Use sum = op(Op::add, second, pooled, "block");
    const Use shown = maker_.add(Op::relu, {sum}, {}, "block");
    const Shape spread = maker_.type(shown).shape;
    Use mean = maker_.add(Op::sum, {shown}, Reduce{{batch_, 1, 1, 8}}, "mean");
    mean = maker_.add(Op::reshape, {mean}, Shape{batch_, 8}, "mean");
    mean = op(Op::divide, mean, maker_.number(static_cast<double>(spread[1] * spread[2])), "mean");
    const Use dense = product("dense", mean, {8, 5}, Dense{}, false);
    const Use logits = op(Op::add, dense, channels("dense/bias", 5, -1, 1), "dense");
    FrozenModel model;
    model.graph = maker_.finished({{"logits", logits}}, sites_);
    model.preparation = image::Preparation{
        .height = 9, .width = 7, .channels = 3, .mean = {0.485, 0.456, 0.406}, .stddev = {0.229, 0.224, 0.225}};
    model.labels = {"boot", "coat \"long\"", "bag", "dress", "\xc3\xa9toile"};
    model.provenance = {.qfw = "0.1.0", .recipe = "[model]\n", .checkpoint = "0123456789abcdef", .step = 7, .phase = "both"};
    verify(model);
    return model;
  }

 private:
  Use op(Op op, Use a, Use b, const char* path) { return maker_.add(op, {a, b}, {}, path); }

  float between(float low, float high) { return low + (high - low) * static_cast<float>(random_.below(4096)) / 4096; }

  Use channels(const std::string& name, std::int64_t count, float low, float high) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = between(low, high);
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return maker_.tensor(name, {{count}, DType::f32}, std::move(bytes), name);
  }

  /// Codes of `x` times codes of weights, times a factor: an integer site.
  Use product(const std::string& path, Use x, const Shape& weights, Attributes attributes, bool is_signed) {
    const auto with = [&](Op op, double number) {
      const Attributes ties = op == Op::minimum || op == Op::maximum ? Attributes(Ties::half) : Attributes();
      x = maker_.add(op, {x, maker_.number(number)}, ties, path + "/src");
    };
    const Shape& from = maker_.type(x).shape;
    x = maker_.add(Op::multiply, {x, channels(path + "/src/scale", from.channels(), 2, 9)}, {}, path + "/src");
    if (is_signed) {
      with(Op::maximum, -7);
      with(Op::minimum, 7);
      with(Op::add, 0.5);
      x = maker_.add(Op::floor, {x}, {}, path + "/src");
    } else {
      x = maker_.add(Op::floor, {x}, {}, path + "/src");
      with(Op::maximum, 0);
      with(Op::minimum, 15);
    }
    const Use codes = maker_.add(Op::cast, {x}, is_signed ? DType::s8 : DType::u8, path);
    std::vector<std::byte> bytes(static_cast<std::size_t>(weights.count()));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(static_cast<std::int8_t>(random_.below(15)) - 7);
    const Use held = maker_.tensor(path + "/weights/codes", {weights, DType::s8}, std::move(bytes), path);
    QuantizedSite site;
    site.matmul = maker_.add(weights.rank() == 4 ? Op::conv2d : Op::dense, {codes, held}, attributes, path);
    site.path = path;
    site.op = maker_.node(site.matmul).op;
    if (const auto* conv = std::get_if<Conv2d>(&attributes)) site.conv = *conv;
    site.src_type = {maker_.type(codes).shape, DType::f32};
    site.weights_type = {weights, DType::f32};
    site.dst_type = {maker_.type(site.matmul).shape, DType::f32};
    site.src_signed = is_signed;
    site.integer = true;
    site.src.grid = is_signed ? Grid{-7, 7} : Grid{0, 15};
    site.weights.grid = Grid{-7, 7};
    site.sums = maker_.add(Op::cast, {site.matmul}, DType::f32, path);
    site.factor = channels(path + "/factor", weights.channels(), 0.001F, 0.02F);
    site.product = maker_.add(Op::multiply, {site.sums, site.factor}, {}, path);
    sites_.push_back(site);
    return site.product;
  }

  Use layer(const std::string& path, Use x, const Shape& weights, const Conv2d& conv, bool is_signed) {
    Use y = product(path, x, weights, conv, is_signed);
    y = maker_.add(Op::subtract, {y, channels(path + "/mean", weights.channels(), -0.2F, 0.2F)}, {}, path);
    y = maker_.add(Op::multiply, {y, channels(path + "/multiply", weights.channels(), 0.5F, 2)}, {}, path);
    y = maker_.add(Op::add, {y, channels(path + "/beta", weights.channels(), -0.5F, 0.5F)}, {}, path);
    return maker_.add(Op::relu, {y}, {}, path);
  }

  RandomStream random_;
  std::int64_t batch_;
  onnx::GraphMaker maker_;
  std::vector<QuantizedSite> sites_;
};

/// Prepared images of that network: some values are far out.
inline std::vector<float> small_images(std::int64_t count, std::uint64_t seed = 5) {
  RandomStream random(seed, 9);
  std::vector<float> values(static_cast<std::size_t>(count * 9 * 7 * 3));
  for (float& value : values) value = (static_cast<float>(random.below(4001)) - 2000) / 1000;
  return values;
}

}  // namespace qfw::test
