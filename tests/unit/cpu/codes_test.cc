#include "codes.h"

#include <gtest/gtest.h>

#include <random>

#include "matmul/bf16_tiles.h"
#include "matmul/primitive.h"
#include "support.h"

namespace qfw::cpu {
namespace {

/// The gradients of a convolution whose operands are codes; `cast_before`: they come as bf16 already.
Graph gradients(bool cast_before) {
  GraphBuilder g({});
  const auto operand = [&](const char* name, const Shape& shape, DType codes) {
    return cast_before ? g.input(name, {shape, DType::bf16}) : cast(g.input(name, {shape, codes}), DType::bf16);
  };
  const Value src = operand("src", {4, 13, 13, 24}, DType::u8), weights = operand("weights", {1, 1, 24, 40}, DType::s8);
  const Value grad = g.input("grad", {{4, 7, 7, 40}, DType::bf16});
  const Conv2d how{.stride = {2, 2}};
  g.fetch("of weights", g.add(Op::conv2d_grad_weights, {src, grad}, Conv2dGrad{how, {1, 1, 24, 40}}));
  g.fetch("of src", g.add(Op::conv2d_grad_src, {grad, weights}, Conv2dGrad{how, {4, 13, 13, 24}}));
  return finish(g.graph());
}

std::vector<std::vector<std::byte>> outputs(const Graph& graph) {
  CpuBackend backend({.threads = 2});
  EqualReplicas replicas;
  const auto executable = backend.compile(graph, replicas);
  std::vector<std::vector<std::byte>> data;
  std::vector<HostView> feeds;
  for (const Input& input : graph.inputs) {
    std::mt19937 random(11);
    std::vector<std::byte>& bytes = data.emplace_back(input.type.bytes());
    for (std::int64_t i = 0; i < input.type.shape.count(); ++i) {
      const auto code = static_cast<int>(random() % 128);
      if (input.type.dtype != DType::bf16) {
        bytes[static_cast<std::size_t>(i)] = static_cast<std::byte>(code);
      } else {
        const BFloat16 value(static_cast<float>(code));
        std::memcpy(&bytes[static_cast<std::size_t>(2 * i)], &value, 2);
      }
    }
  }
  for (std::size_t i = 0; i < data.size(); ++i) feeds.push_back({graph.inputs[i].type, data[i]});
  return test::execute(*executable, graph, feeds, {});
}

TEST(Codes, AreReadWhereACastWouldBe) {
  const Graph given = gradients(false), graph = reading_codes(given, Context{});
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (node.op == Op::conv2d_grad_weights) {
      EXPECT_EQ(graph.type(node.inputs[0]).dtype, has_bf16_tiles() && library_has_tiles() ? DType::u8 : DType::bf16);
    } else if (node.op == Op::conv2d_grad_src) {
      EXPECT_EQ(graph.type(node.inputs[1]).dtype, library_has_bf16() ? DType::s8 : DType::bf16);
    } else {
      EXPECT_EQ(node.inputs, given.nodes[i].inputs);
    }
  }
}

TEST(Codes, ChangeNoBit) { EXPECT_TRUE(outputs(gradients(false)) == outputs(gradients(true))); }

}  // namespace
}  // namespace qfw::cpu
