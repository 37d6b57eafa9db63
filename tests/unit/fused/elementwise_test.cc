#include <gtest/gtest.h>

#include "graph_maker.h"

namespace qfw::cpu::testing {
namespace {

struct Case {
  Op op;
  int operands;
};

void PrintTo(const Case& c, std::ostream* out) { *out << name_of(c.op); }

class EachOp : public ::testing::TestWithParam<Case> {};

Attributes attributes_of(Op op) { return op == Op::minimum || op == Op::maximum ? Attributes(Ties::half) : Attributes(); }

/// One op alone on every way its operands can broadcast, bit for bit as the reference has it.
TEST_P(EachOp, EqualsReference) {
  const auto [op, operands] = GetParam();
  const std::vector<Shape> full{{2, 3, 5, 40}, {7, 3}, {1, 1037}, {4, 700}, {3, 5, 1, 16}};
  std::mt19937 random(static_cast<unsigned>(op));
  for (const Shape& shape : full) {
    std::vector<Shape> narrow{shape, {}, {shape.channels()}, {1}};
    if (shape.rank() == 2) narrow.push_back({shape[0], 1});
    if (shape.rank() == 4) narrow.insert(narrow.end(), {{1, 1, shape[2], 1}, {shape[0], 1, 1, shape[3]}, {shape[1], 1, 1}});
    for (const DType dtype : {DType::f32, DType::bf16}) {
      for (std::size_t other = 0; other < narrow.size(); ++other) {
        for (int position = 0; position < operands; ++position) {
          Maker m;
          std::vector<Use> inputs;
          for (int i = 0; i < operands; ++i) {
            const bool wide = i == position;
            inputs.push_back(m.input(wide ? shape : narrow[(other + (i > position)) % narrow.size()], dtype));
          }
          const Use result = m.add(op, inputs, attributes_of(op));
          const Tensors sources = random_sources(m.graph, random, true);
          const Tensors expected = evaluate_all(m.graph, sources);
          Tensors found = sources;
          run_group(m.graph, lowering::group_of(m.graph, result.node), 2, found);
          const auto at = first_difference(m.graph.type(result), expected.at({result.node, 0}), found.at({result.node, 0}));
          ASSERT_EQ(at, -1) << name_of(op) << " of " << shape.str() << " and " << narrow[other].str() << " at " << position
                            << ": " << element(expected.at({result.node, 0}), m.graph.type(result).dtype, at) << " expected, "
                            << element(found.at({result.node, 0}), m.graph.type(result).dtype, at) << " found";
          if (operands == 1) break;
        }
        if (operands == 1) break;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EachOp,
                         ::testing::Values(Case{Op::add, 2}, Case{Op::subtract, 2}, Case{Op::multiply, 2}, Case{Op::divide, 2},
                                           Case{Op::minimum, 2}, Case{Op::maximum, 2}, Case{Op::less, 2},
                                           Case{Op::less_equal, 2}, Case{Op::equal, 2}, Case{Op::select, 3},
                                           Case{Op::negate, 1}, Case{Op::relu, 1}, Case{Op::abs, 1}, Case{Op::exp, 1},
                                           Case{Op::log, 1}, Case{Op::sqrt, 1}, Case{Op::tanh, 1}, Case{Op::floor, 1},
                                           Case{Op::round_even, 1}, Case{Op::is_finite, 1}));

TEST(Cast, BetweenAllTypes) {
  std::mt19937 random(1);
  for (const DType from : {DType::f32, DType::bf16, DType::s32, DType::s8, DType::u8}) {
    for (const DType to : {DType::f32, DType::bf16, DType::s32, DType::s8, DType::u8}) {
      Maker m;
      const Shape shape{9, 45};
      Use x = m.input(shape, from);
      if (is_float(from) && !is_float(to)) {
        x = m.add(Op::round_even, {x});
        x = m.add(Op::abs, {x});
      }
      if ((from == DType::s32 && to != DType::f32 && to != DType::bf16 && to != DType::s32) ||
          (from == DType::s8 && to == DType::u8) || (from == DType::u8 && to == DType::s8)) {
        continue;  // out of range
      }
      m.fetch(m.cast(x, to));
      const Tensors sources = random_sources(m.graph, random);
      const Tensors expected = evaluate_all(m.graph, sources),
                    found = run_plan(m.graph, lowering::group_nodes(m.graph, target()), 1, sources);
      const int last = m.graph.fetches[0].use.node;
      EXPECT_EQ(first_difference(m.graph.nodes[last].outputs[0], expected.at({last, 0}), found.at({last, 0})), -1)
          << name_of(from) << " to " << name_of(to);
    }
  }
}

TEST(View, ReadThroughStrides) {
  std::mt19937 random(2);
  for (const DType dtype : {DType::f32, DType::bf16, DType::s32, DType::u8}) {
    Maker m;
    const Use x = m.input({6, 4, 10}, dtype), row = m.input({4}, dtype);
    const Use turned = m.add(Op::transpose, {x}, Axes{{0, 2}});
    const Use wide = m.add(Op::broadcast_to, {m.add(Op::reshape, {row}, Shape{4, 1})}, Shape{10, 4, 6});
    m.fetch(m.cast(turned, DType::f32));
    m.fetch(m.add(Op::add, {m.cast(turned, DType::f32), m.cast(wide, DType::f32)}));
    m.fetch(wide);
    m.fetch(m.add(Op::reshape, {turned}, Shape{40, 6}));
    const Tensors sources = random_sources(m.graph, random);
    const Tensors expected = evaluate_all(m.graph, sources),
                  found = run_plan(m.graph, lowering::group_nodes(m.graph, target()), 2, sources);
    for (const Fetch& fetch : m.graph.fetches) {
      const std::pair key{fetch.use.node, 0};
      EXPECT_EQ(first_difference(m.graph.type(fetch.use), expected.at(key), found.at(key)), -1) << fetch.name << name_of(dtype);
    }
    Tensors alone = sources;
    run_group(m.graph, lowering::group_of(m.graph, turned.node), 1, alone);
    EXPECT_EQ(alone.at({turned.node, 0}), expected.at({turned.node, 0}));
  }
}

TEST(Constant, FillsMemory) {
  Maker m;
  m.fetch(m.number(0.1, DType::bf16, {3, 70}));
  m.fetch(m.number(-4, DType::f32));
  const Tensors expected = evaluate_all(m.graph, {}),
                found = run_plan(m.graph, lowering::group_nodes(m.graph, target()), 2, {});
  EXPECT_EQ(expected, found);
}

}  // namespace
}  // namespace qfw::cpu::testing
