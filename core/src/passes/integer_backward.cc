#include "passes/integer_backward.h"

#include <fmt/format.h>

#include <limits>
#include <vector>

#include "graph/builder_access.h"
#include "passes/quantize.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw {

namespace {

constexpr double greatest_code = 127;
// What the largest gradient of an image becomes: so far below 127 that no rounding of quotient, product and sum, nor the
// uniform number, takes it to 128.
constexpr double top = greatest_code - 0x1p-15;
// Gradients that are all below this have fewer steps, as one step of theirs would be no normal number.
constexpr double least = 0x1p-100;

/// The extents of `x` from axis `from` up to `to`, 1 elsewhere.
Shape extents_between(const Shape& x, int from, int to) {
  std::vector<std::int64_t> extents(x.begin(), x.end());
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis < from || axis >= to) extents[static_cast<std::size_t>(axis)] = 1;
  }
  return Shape(extents);
}

/// Uniform numbers for a tensor of images, any two of them independent: those of one image, turned by an angle of each image's
/// own. Making a number costs more than rounding one.
Value uniform_numbers(GraphBuilder& g, const Shape& shape) {
  const Value of_image = random_uniform(g, "backward/rounding", extents_between(shape, 1, shape.rank()));
  const Value turned = of_image - random_uniform(g, "backward/turn", extents_between(shape, 0, 1));
  return turned - floor(turned);
}

void check_accumulator(const QuantizedSite& site) {
  const double largest = largest_backward_sum(site);
  if (largest <= std::numeric_limits<std::int32_t>::max()) return;
  fail(Error::Category::graph, "differentiate",
       fmt::format("a sum of the integer backward pass could reach {:.4g}, beyond 32 bits", largest), "layer " + site.path,
       "give this layer fewer bits, or set quantizer.backward = float");
}

/// The integer sums that make the gradient of src.
Value product_of_codes(const Differentiation& d, Value codes, Value weights) {
  if (d.node.op == Op::dense) return dense(codes, transpose(weights, {0, 1}));
  return d.g.add(Op::conv2d_grad_src, {codes, weights}, Conv2dGrad{d.node.as<Conv2d>(), d.inputs[0].shape()});
}

}  // namespace

RoundedGradient round_stochastically(Value gradient, Value uniform) {
  const Shape per_image = extents_between(gradient.shape(), 0, 1);
  const Value largest = gradient.builder().add(Op::reduce_max, {abs(gradient)}, Reduce{per_image});  // NaN if there is one
  const Value finite = is_finite(largest), divisor = maximum(largest, least);
  const Value codes = floor(cast(gradient, DType::f32) * (top / divisor) + uniform);
  return {cast(select(finite, codes, 0), DType::s8), select(finite, divisor / top, largest)};
}

double largest_backward_sum(const QuantizedSite& site) {
  if (!site.weights.grid) return 0;
  const Shape& weights = site.weights_type.shape;
  double terms = static_cast<double>(weights.channels());
  if (site.op == Op::conv2d) {
    for (const int axis : {0, 1}) {
      const std::int64_t stride = site.conv.stride[static_cast<std::size_t>(axis)];
      terms *= static_cast<double>((weights[axis] + stride - 1) / stride);
    }
    terms /= static_cast<double>(site.conv.groups);
  }
  return terms * greatest_code * largest_integer(*site.weights.grid);
}

void differentiate_in_integers(GraphBuilder& g, Value product, Value weights, std::size_t site) {
  BuilderAccess::differentiate_by(g, product, [weights, site](const Differentiation& d) {
    check_accumulator(d.g.graph().sites[site]);
    const Value gradient = cast(*d.gradients[0], d.outputs[0].dtype());  // what the weights' gradient is made of, too
    const auto [codes, step] = round_stochastically(gradient, uniform_numbers(d.g, gradient.shape()));
    const Value sums = product_of_codes(d, codes, weights);
    BuilderAccess::graph(d.g).sites[site].backward = {sums.node(), sums.output()};
    auto gradients = definition(d.node.op).gradient(d);
    gradients[0] = cast(sums, DType::f32) * step;
    return gradients;
  });
}

}  // namespace qfw
