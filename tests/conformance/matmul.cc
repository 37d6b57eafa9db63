#include "conformance/case.h"
#include "support/integer_backward.h"

namespace qfw::conformance {
namespace {

struct Layer {
  Shape src, weights;
  Conv2d conv;
};

const std::vector<Layer> layers = {
    {{1, 1, 1, 1}, {1, 1, 1, 1}, {}},
    {{2, 5, 7, 3}, {1, 1, 3, 17}, {}},
    {{2, 8, 8, 64}, {1, 1, 64, 64}, {}},
    {{2, 9, 7, 17}, {1, 1, 17, 3}, {.stride = {2, 2}}},
    {{3, 7, 9, 3}, {3, 3, 3, 17}, {.padding = {{1, 1}, {1, 1}}}},
    {{2, 8, 8, 17}, {3, 3, 17, 64}, {.stride = {2, 2}, .padding = {{0, 0}, {1, 1}}}},
    {{2, 8, 8, 64}, {3, 3, 64, 32}, {.padding = {{1, 1}, {1, 1}}}},
    {{1, 17, 15, 3}, {7, 7, 3, 16}, {.stride = {2, 2}, .padding = {{3, 3}, {3, 3}}}},
    {{2, 6, 7, 1}, {3, 5, 1, 8}, {.stride = {1, 2}, .padding = {{0, 2}, {1, 2}}}},
    {{2, 5, 5, 8}, {3, 3, 4, 6}, {.padding = {{1, 1}, {1, 1}}, .groups = 2}},
    {{2, 6, 6, 12}, {3, 3, 1, 12}, {.stride = {2, 1}, .padding = {{1, 1}, {0, 1}}, .groups = 12}},
    {{1, 4, 4, 32}, {2, 2, 8, 64}, {.stride = {2, 2}, .groups = 4}},
    {{2, 9, 8, 32}, {3, 3, 4, 32}, {.padding = {{1, 1}, {1, 1}}, .groups = 8}},
    {{2, 7, 6, 21}, {3, 3, 3, 35}, {.stride = {1, 2}, .padding = {{1, 0}, {0, 1}}, .groups = 7}},
    {{1, 6, 7, 48}, {3, 3, 16, 48}, {.padding = {{1, 1}, {1, 1}}, .groups = 3}},
    {{2, 12, 11, 33}, {5, 5, 1, 33}, {.stride = {2, 2}, .padding = {{1, 2}, {2, 2}}, .groups = 33}},
    {{1, 7, 7, 16}, {3, 3, 1, 48}, {.padding = {{1, 1}, {1, 1}}, .groups = 16}},
};

std::string describe(const Layer& layer) {
  const auto pair = [](const Extent& extent) { return std::to_string(extent[0]) + "x" + std::to_string(extent[1]); };
  return word({layer.src, DType::f32}).substr(4) + "_by_" + word({layer.weights, DType::f32}).substr(4) + "_stride_" +
         pair(layer.conv.stride) + "_pad_" + pair(layer.conv.padding.low) + "_" + pair(layer.conv.padding.high) + "_groups_" +
         std::to_string(layer.conv.groups);
}

auto convolve(const Conv2d& conv) {
  return [conv](GraphBuilder&, const std::vector<Value>& x) { return std::vector{conv2d(x[0], x[1], conv)}; };
}

std::vector<Case> conv2d_cases() {
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Layer& layer : layers) {
      const std::int64_t products = layer.weights.count() / layer.weights.channels();
      const std::int64_t back = layer.src.count() / layer.src.channels() * layer.weights[0] * layer.weights[1];
      cases.push_back({.name = describe(layer) + "_" + name_of(dtype),
                       .operands = {{{layer.src, dtype}}, {{layer.weights, dtype}, Fill::small}},
                       .build = convolve(layer.conv),
                       .forward = of_matmul(dtype, products),
                       .backward = of_matmul(dtype, back)});
    }
  }
  return cases;
}
QFW_CONFORMANCE(Convolution, conv2d_cases());

Shape dst_of(const Layer& layer) {
  const auto extent = [&](std::size_t axis, std::int64_t src, std::int64_t kernel) {
    return (src + layer.conv.padding.low[axis] + layer.conv.padding.high[axis] - kernel) / layer.conv.stride[axis] + 1;
  };
  return {layer.src[0], extent(0, layer.src[1], layer.weights[0]), extent(1, layer.src[2], layer.weights[1]),
          layer.weights.channels()};
}

/// Exact: equal to the last unit, whatever the instruction set has.
std::vector<Case> integer_gradient_cases() {
  std::vector<Case> cases;
  for (const Layer& layer : layers) {
    cases.push_back({.name = describe(layer),
                     .operands = {{{dst_of(layer), DType::s8}, Fill::codes}, {{layer.weights, DType::s8}, Fill::codes}},
                     .build =
                         [layer](GraphBuilder& g, const std::vector<Value>& x) {
                           return std::vector{g.add(Op::conv2d_grad_src, {x[0], x[1]}, Conv2dGrad{layer.conv, layer.src})};
                         },
                     .gradients = false,
                     .least_levels = layer.src.count() > 1 ? 3 : 0});
  }
  return cases;
}
QFW_CONFORMANCE(IntegerConvolutionGradient, integer_gradient_cases());

/// Gradients rounded stochastically and multiplied as integers: exact but for the float product that is not needed then.
std::vector<Case> integer_backward_cases() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, const Shape& src, const Shape& weights, const Conv2d& conv) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      cases.push_back({.name = name + "_" + name_of(dtype),
                       .operands = {{{src, dtype}}, {{weights, DType::s8}, Fill::codes}},
                       .build =
                           [conv](GraphBuilder& g, const std::vector<Value>& x) {
                             return std::vector{test::product_with_integer_backward(g, x[0], x[1], conv)};
                           },
                       .forward = of_matmul(dtype, weights.count() / weights.channels()),
                       .sparse = true,
                       .steps = 2});
    }
  };
  for (const Layer& layer : layers) add(describe(layer), layer.src, layer.weights, layer.conv);
  add("dense", {16, 64}, {64, 10}, {});
  return cases;
}
QFW_CONFORMANCE(IntegerBackward, integer_backward_cases());

/// Exact: equal to the last unit, whatever the instruction set has.
std::vector<Case> integer_conv2d_cases() {
  std::vector<Case> cases;
  for (const DType dtype : {DType::u8, DType::s8}) {
    for (const Layer& layer : layers) {
      cases.push_back({.name = describe(layer) + "_" + name_of(dtype),
                       .operands = {{{layer.src, dtype}, Fill::codes}, {{layer.weights, DType::s8}, Fill::codes}},
                       .build = convolve(layer.conv),
                       .gradients = false});
      cases.push_back({.name = "scaled_" + describe(layer) + "_" + name_of(dtype),
                       .operands = {{{layer.src, dtype}, Fill::codes},
                                    {{layer.weights, DType::s8}, Fill::codes},
                                    {{{layer.weights.channels()}, DType::f32}, Fill::positive}},
                       .build =
                           [conv = layer.conv](GraphBuilder&, const std::vector<Value>& x) {
                             return std::vector{relu(cast(conv2d(x[0], x[1], conv), DType::f32) * x[2])};
                           },
                       .gradients = false});
    }
  }
  return cases;
}
QFW_CONFORMANCE(IntegerConvolution, integer_conv2d_cases());

const std::vector<std::pair<Shape, Shape>> products = {
    {{1, 1}, {1, 1}}, {{5, 17}, {17, 3}}, {{16, 64}, {64, 10}}, {{3, 129}, {129, 65}}, {{17, 2048}, {2048, 100}}};

auto multiply() {
  return [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{dense(x[0], x[1])}; };
}

std::vector<Case> dense_cases() {
  std::vector<Case> cases;
  for (const auto& [src, weights] : products) {
    for (const DType dtype : {DType::f32, DType::bf16}) {
      cases.push_back({.name = word({src, dtype}) + "_by_" + word({weights, dtype}),
                       .operands = {{{src, dtype}}, {{weights, dtype}, Fill::small}},
                       .build = multiply(),
                       .forward = of_matmul(dtype, src[1]),
                       .backward = of_matmul(dtype, std::max(src[0], weights[1]))});
    }
    for (const DType dtype : {DType::u8, DType::s8}) {
      cases.push_back({.name = word({src, dtype}) + "_by_" + word({weights, DType::s8}),
                       .operands = {{{src, dtype}, Fill::codes}, {{weights, DType::s8}, Fill::codes}},
                       .build = multiply(),
                       .gradients = false});
    }
  }
  return cases;
}
QFW_CONFORMANCE(DenseProduct, dense_cases());

std::vector<Case> pool_cases() {
  const std::vector<std::pair<Shape, Pool>> pools = {
      {{1, 2, 2, 1}, {}},
      {{2, 8, 8, 64}, {.window = {3, 3}, .stride = {2, 2}, .padding = {{0, 0}, {1, 1}}}},
      {{2, 7, 9, 17}, {.window = {3, 3}, .stride = {2, 2}, .padding = {{1, 1}, {1, 1}}}},
      {{3, 5, 6, 3}, {.window = {2, 3}, .stride = {1, 2}, .padding = {{1, 0}, {0, 2}}}},
      {{2, 6, 6, 8}, {.window = {3, 3}, .stride = {1, 1}}}};
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Fill fill : {Fill::normal, Fill::ties}) {
      for (const auto& [shape, pool] : pools) {
        const TensorType type{shape, dtype};
        cases.push_back(
            {.name = word(type) + "_window_" + std::to_string(pool.window[0]) + "x" + std::to_string(pool.window[1]) +
                     "_stride_" + std::to_string(pool.stride[0]) + (fill == Fill::ties ? "_with_ties" : ""),
             .operands = {{type, fill}},
             .build = [pool = pool](GraphBuilder&, const std::vector<Value>& x) { return std::vector{max_pool(x[0], pool)}; },
             .backward = of_arithmetic(dtype)});
      }
    }
  }
  return cases;
}
QFW_CONFORMANCE(Pooling, pool_cases());

}  // namespace
}  // namespace qfw::conformance
