#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <omp.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "matmul/matmul.h"
#include "qfw/graph.h"

/// Graphs of one node, memory for its tensors, and plain loops to compare with.
namespace qfw::cpu::test {

using Bytes = std::vector<std::byte>;

inline Graph single(Op op, const TensorType& a, const TensorType& b, Attributes attributes, const TensorType& result) {
  Graph graph;
  graph.nodes.push_back({Op::input, {}, Slot{0}, {a}, "a"});
  graph.nodes.push_back({Op::input, {}, Slot{1}, {b}, "b"});
  graph.nodes.push_back({op, {{0, 0}, {1, 0}}, std::move(attributes), {result}, "test/node"});
  return graph;
}

template <class T>
std::vector<T> as(const Bytes& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

/// The elements as doubles, whatever the dtype.
inline std::vector<double> numbers(const Bytes& bytes, DType type) {
  const auto of = [](const auto& values) {
    std::vector<double> result;
    for (const auto value : values) result.push_back(static_cast<double>(static_cast<float>(value)));
    return result;
  };
  switch (type) {
    case DType::f32:
      return of(as<float>(bytes));
    case DType::bf16:
      return of(as<BFloat16>(bytes));
    case DType::f16:
      return of(as<Float16>(bytes));
    case DType::u8:
      return of(as<std::uint8_t>(bytes));
    case DType::s8:
      return of(as<std::int8_t>(bytes));
    case DType::s32:
      break;
  }
  std::vector<double> result;
  for (const auto value : as<std::int32_t>(bytes)) result.push_back(value);
  return result;
}

template <class F>
Bytes fill(const TensorType& type, F next) {
  Bytes bytes(type.bytes());
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    std::byte* at = bytes.data() + i * static_cast<std::int64_t>(size_of(type.dtype));
    const auto put = [at](auto value) { std::memcpy(at, &value, sizeof(value)); };
    switch (type.dtype) {
      case DType::f32:
        put(static_cast<float>(next()));
        break;
      case DType::bf16:
        put(BFloat16(static_cast<float>(next())));
        break;
      case DType::f16:
        put(Float16(static_cast<float>(next())));
        break;
      case DType::u8:
        put(static_cast<std::uint8_t>(next()));
        break;
      case DType::s8:
        put(static_cast<std::int8_t>(next()));
        break;
      case DType::s32:
        put(static_cast<std::int32_t>(next()));
        break;
    }
  }
  return bytes;
}

inline Bytes random_floats(const TensorType& type, unsigned seed) {
  std::mt19937 generator(seed);
  return fill(type, [&] { return static_cast<double>(generator() % 4001) / 2000.0 - 1.0; });
}
inline Bytes random_integers(const TensorType& type, int low, int high, unsigned seed) {
  std::mt19937 generator(seed);
  return fill(type, [&] { return low + static_cast<int>(generator() % static_cast<unsigned>(high - low + 1)); });
}

/// The same graph with constant weights; the graph itself if its last node has none.
inline Graph with_constant_weights(const Graph& graph, const std::vector<Bytes>& inputs) {
  Graph constant = graph;
  const Node& node = graph.nodes.back();
  if (node.op != Op::conv2d && node.op != Op::conv2d_grad_src && node.op != Op::dense) return constant;
  Node& weights = constant.nodes[node.inputs[1].node];
  constant.tensors.push_back({"weights", weights.outputs[0], std::make_shared<Bytes>(inputs[1])});
  weights.op = Op::tensor;
  weights.attributes = Slot{0};
  return constant;
}

/// Runs the graph's last node, with constant weights too, on memory that is exactly as large as the tensors, so that sanitizers
/// see every step outside.
inline Bytes run(const Graph& graph, const std::vector<Bytes>& inputs, Context& context) {
  const Node& node = graph.nodes.back();
  omp_set_num_threads(context.threads);
  const auto kernel = make_matmul(graph, node, context);
  std::vector<const void*> pointers;
  for (const Bytes& input : inputs) pointers.push_back(input.data());
  Bytes output(node.outputs[0].bytes(), std::byte{0xa5});
  const auto run_into = [&](Bytes& bytes) {
    void* const place = bytes.data();
    kernel->run({}, pointers, {&place, 1});
  };
  run_into(output);
  Bytes again(output.size(), std::byte{0x5a});
  run_into(again);
  EXPECT_EQ(output, again) << kernel->kind() << " " << kernel->implementation() << ": a second run differs";

  const Graph constant = with_constant_weights(graph, inputs);
  const auto packed = make_matmul(constant, constant.nodes.back(), context);
  std::ranges::fill(again, std::byte{0x3c});
  void* const place = again.data();
  packed->run({}, pointers, {&place, 1});
  EXPECT_EQ(output, again) << packed->kind() << " " << packed->implementation() << ": constant weights give others";
  return output;
}

struct ConvCase {
  std::int64_t n, h, w, c, o, kh, kw;
  Conv2d conv;

  Shape src() const { return {n, h, w, c}; }
  Shape weights() const { return {kh, kw, c / conv.groups, o}; }
  Shape dst() const {
    const auto extent = [&](int axis, std::int64_t in, std::int64_t kernel) {
      return (in + conv.padding.low[axis] + conv.padding.high[axis] - kernel) / conv.stride[axis] + 1;
    };
    return {n, extent(0, h, kh), extent(1, w, kw), o};
  }

  /// Calls `f(src element, weights element, dst element)` for every product of the convolution.
  template <class F>
  void for_each(F f) const {
    const Shape to = dst();
    const std::int64_t cg = c / conv.groups, og = o / conv.groups;
    for (std::int64_t image = 0; image < n; ++image)
      for (std::int64_t y = 0; y < to[1]; ++y)
        for (std::int64_t x = 0; x < to[2]; ++x)
          for (std::int64_t i = 0; i < kh; ++i)
            for (std::int64_t j = 0; j < kw; ++j) {
              const std::int64_t row = y * conv.stride[0] - conv.padding.low[0] + i;
              const std::int64_t column = x * conv.stride[1] - conv.padding.low[1] + j;
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              for (std::int64_t k = 0; k < cg; ++k)
                for (std::int64_t out = 0; out < o; ++out) {
                  f(((image * h + row) * w + column) * c + out / og * cg + k, ((i * kw + j) * cg + k) * o + out,
                    ((image * to[1] + y) * to[2] + x) * o + out);
                }
            }
  }
  std::string str() const {
    return src().str() + " x " + weights().str() + " stride " + std::to_string(conv.stride[0]) + " groups " +
           std::to_string(conv.groups);
  }
};

/// Groups of few channels: one and several, odd and even, more in than out, wider kernels than the loops take at once, strides
/// and paddings that differ, kernels that are wider than the image.
inline std::vector<ConvCase> grouped_cases() {
  const auto same = [](std::int64_t pad, std::int64_t stride, std::int64_t groups) {
    return Conv2d{.stride = {stride, stride}, .padding = {{pad, pad}, {pad, pad}}, .groups = groups};
  };
  return {{2, 9, 11, 16, 16, 3, 3, same(1, 1, 16)},
          {1, 7, 7, 24, 24, 3, 3, same(1, 1, 24)},
          {2, 14, 13, 40, 40, 3, 3, same(1, 2, 40)},
          {1, 6, 20, 17, 17, 3, 3, same(1, 1, 17)},
          {3, 8, 8, 5, 5, 5, 5, same(2, 1, 5)},
          {2, 15, 9, 33, 33, 7, 7, same(3, 2, 33)},
          {2, 6, 7, 12, 24, 3, 3, same(1, 1, 12)},
          {1, 4, 5, 528, 528, 3, 3, same(1, 1, 528)},
          {1, 5, 6, 7, 35, 3, 2, {.stride = {3, 1}, .padding = {{0, 1}, {2, 0}}, .groups = 7}},
          {2, 4, 3, 8, 8, 5, 6, {.padding = {{3, 3}, {2, 4}}, .groups = 8}},
          {2, 9, 8, 32, 32, 3, 3, same(1, 1, 8)},
          {2, 9, 8, 64, 64, 3, 3, same(1, 2, 8)},
          {1, 7, 5, 48, 48, 3, 3, same(1, 1, 3)},
          {2, 5, 5, 21, 35, 3, 3, same(1, 1, 7)},
          {2, 5, 7, 30, 20, 3, 3, same(1, 2, 5)},
          {1, 6, 6, 32, 16, 3, 3, same(1, 1, 4)},
          {1, 6, 6, 16, 64, 3, 3, same(1, 1, 4)},
          {2, 7, 6, 32, 32, 1, 1, same(0, 1, 8)},
          {2, 7, 6, 20, 20, 1, 1, same(0, 2, 20)},
          {1, 1, 1, 12, 12, 3, 3, same(1, 1, 3)},
          {1, 3, 30, 18, 27, 3, 3, {.stride = {1, 4}, .padding = {{1, 2}, {1, 0}}, .groups = 9}}};
}

/// Odd channels, sizes, strides and paddings; with groups.
inline std::vector<ConvCase> cases() {
  std::vector<ConvCase> all = grouped_cases();
  for (const std::int64_t c : {1, 3, 17, 64})
    for (const std::int64_t o : {1, 17, 64})
      for (const std::int64_t size : {5, 8})
        for (const std::int64_t kernel : {1, 3})
          for (const std::int64_t stride : {1, 2})
            for (const bool same : {true, false}) {
              Conv2d conv{.stride = {stride, stride}};
              const Shape src{2, size, size, c};
              if (same) {
                const std::int64_t total =
                    std::max<std::int64_t>(((size + stride - 1) / stride - 1) * stride + kernel - size, 0);
                conv.padding = {{total / 2, total / 2}, {total - total / 2, total - total / 2}};
              } else {
                conv.padding = {{kernel / 2, kernel / 2}, {kernel / 2, kernel / 2}};
              }
              if (!same && kernel == 1) continue;  // as with SAME
              all.push_back({2, size, size, c, o, kernel, kernel, conv});
            }
  all.push_back({2, 1, 1, 17, 64, 1, 1, {}});
  all.push_back({1, 1, 1, 3, 17, 3, 3, {.padding = {{1, 1}, {1, 1}}}});
  all.push_back({3, 7, 9, 3, 20, 7, 7, {.stride = {2, 2}, .padding = {{2, 2}, {3, 3}}}});
  all.push_back({2, 6, 5, 8, 12, 3, 2, {.stride = {1, 2}, .padding = {{1, 0}, {0, 1}}, .groups = 4}});
  all.push_back({1, 7, 7, 48, 96, 3, 3, {.padding = {{1, 1}, {1, 1}}, .groups = 3}});
  all.push_back({1, 5, 5, 12, 12, 3, 3, {.padding = {{1, 1}, {1, 1}}, .groups = 12}});
  all.push_back({1, 4, 4, 300, 40, 3, 3, {.padding = {{1, 1}, {1, 1}}}});
  all.push_back({17, 4, 5, 1100, 33, 1, 1, {}});
  all.push_back({13, 5, 5, 16, 24, 3, 3, {.padding = {{1, 1}, {1, 1}}}});
  return all;
}

/// Random ones, small ones for the most part.
inline ConvCase random_grouped_case(unsigned seed) {
  std::mt19937 generator(seed);
  const auto below = [&](unsigned count) { return static_cast<std::int64_t>(generator() % count); };
  const std::int64_t groups = 2 + below(40), in = below(2) == 0 ? 1 : 1 + below(9), out = below(2) == 0 ? in : 1 + below(9);
  ConvCase test{1 + below(3), 1 + below(12), 1 + below(20), groups * in, groups * out, 1 + below(6), 1 + below(7), {}};
  test.conv = {.stride = {1 + below(3), 1 + below(3)}, .groups = groups};
  for (const int axis : {0, 1}) {
    const std::int64_t kernel = axis == 0 ? test.kh : test.kw, image = axis == 0 ? test.h : test.w;
    test.conv.padding.low[axis] = below(static_cast<unsigned>(kernel));
    test.conv.padding.high[axis] = std::max(below(static_cast<unsigned>(kernel)), kernel - image - test.conv.padding.low[axis]);
  }
  return test;
}

/// Calls `f` with the loops of every instruction set that this processor has.
template <class F>
void with_each_instruction_set(F f) {
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    f();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

/// Most cases of a sweep run on one thread: waiting for others is slow where the machine is busy with something else.
inline std::vector<int> threads_of(std::size_t index) { return index % 8 == 0 ? std::vector{1, 2, 3} : std::vector{1}; }

/// Within `tolerance` of the largest expected value.
inline void expect_near(const std::vector<double>& found, const std::vector<double>& expected, double tolerance,
                        const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double largest = 1e-30, worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    const double off = std::abs(found[i] - expected[i]);
    if (!(off <= worst)) {
      worst = off;
      at = i;
    }
  }
  EXPECT_LE(worst / largest, tolerance) << what << ": element " << at << " is " << found[at] << ", expected " << expected[at];
}

using Implementation = Context::Implementation;

}  // namespace qfw::cpu::test
