#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "compare_kinds.h"
#include "random_graph.h"

namespace qfw::cpu::testing {
namespace {

/// Each group of a graph, the inputs of the first ones wild.
void compare_groups(const Graph& graph, std::mt19937& random, Counts& counts) {
  Tensors tensors;
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (test::is_given(graph.nodes[i].op)) tensors[{i, 0}] = wild_memory(graph.nodes[i].outputs[0], random);
  }
  for (const lowering::Item& item : lowering::group_nodes(graph, target())) {
    if (!item.group) {
      if (!test::is_given(graph.nodes[item.node].op)) test::evaluate_node(graph, item.node, tensors);
      continue;
    }
    std::vector<Memory> outputs;
    compare_kinds(graph, *item.group, tensors, counts, outputs);
    if (::testing::Test::HasFatalFailure()) return;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      tensors[{item.group->outputs[o].node, item.group->outputs[o].output}] = outputs[o];
    }
  }
}

class CompiledRandom : public ::testing::TestWithParam<unsigned> {};

TEST_P(CompiledRandom, EqualsInterpreter) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  Counts counts;
  for (unsigned seed = GetParam() * 50; seed < (GetParam() + 1) * 50; ++seed) {
    SCOPED_TRACE(seed);
    const Maker m = random_graph(seed);
    std::mt19937 random(seed + 1);
    compare_groups(m.graph, random, counts);
    if (HasFatalFailure()) return;
  }
  for (const auto& [why, times] : counts.refused) {
    EXPECT_THAT(why, ::testing::AnyOf("columns apart", "rows shorter than a vector", "too many values at once")) << times;
  }
  EXPECT_GT(counts.compared, 100);
}

/// A graph by every kind of body, at sizes with and without a rest, of one and of several chunks.
template <class Make>
void compare_at_all_sizes(Make make) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  std::mt19937 random(7);
  Counts counts;
  for (const Summation summation : {Summation::free, Summation::in_order}) {
    for (const Shape& shape :
         {Shape{3, 5, 5, 64}, Shape{2, 7, 7, 48}, Shape{4, 3, 1, 37}, Shape{6, 40, 20, 40}, Shape{2, 1, 1, 4128}}) {
      SCOPED_TRACE(shape.str());
      Maker m;
      m.graph.summation = summation;
      make(m, shape);
      compare_groups(m.graph, random, counts);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
  EXPECT_TRUE(counts.refused.empty()) << counts.refused.begin()->first;
  const auto compiled = static_cast<int>(body_kinds().size()) - 1;  // kinds
  EXPECT_GE(counts.compared, 10 * compiled);
}

/// What is normalised, quantized and observed: codes that are clipped, counts and extremes of what is not zero.
TEST(Compiled, ObservedCodes) {
  compare_at_all_sizes([](Maker& m, const Shape& shape) {
    const Shape channels{shape.channels()};
    const Use scaled = m.add(Op::multiply, {m.cast(m.input(shape, DType::bf16), DType::f32), m.input(channels)});
    const Use x = m.cast(m.add(Op::relu, {m.cast(scaled, DType::bf16)}), DType::f32);
    const Use zero = m.add(Op::equal, {x, m.number(0)});
    m.fetch(m.cast(x, DType::bf16));
    for (const double high : {255.0, 15.0}) {
      const Use clipped = m.add(
          Op::minimum, {m.add(Op::maximum, {m.add(Op::multiply, {x, m.input({})}), m.number(0)}, Ties::half), m.number(high)},
          Ties::half);
      m.fetch(m.cast(clipped, DType::u8));
    }
    m.fetch(m.add(Op::sum, {m.add(Op::subtract, {m.number(1), zero})}, Reduce{channels}));
    m.fetch(m.add(Op::sum, {x}, Reduce{channels}));
    m.fetch(m.add(Op::sum, {m.add(Op::abs, {x})}, Reduce{channels}));
    m.fetch(m.add(Op::sum, {m.add(Op::select, {zero, m.number(0), x})}, Reduce{channels}));
    m.fetch(m.add(Op::sum, {m.add(Op::select, {m.add(Op::less, {x, m.number(1)}), x, m.number(0)})}, Reduce{channels}));
    m.fetch(m.add(Op::reduce_min, {m.add(Op::select, {zero, m.number(INFINITY), x})}, Reduce{channels}));
    m.fetch(m.add(Op::reduce_max, {m.add(Op::select, {zero, m.number(-INFINITY), x})}, Reduce{channels}));
    m.fetch(m.add(Op::reduce_max, {m.add(Op::select, {m.add(Op::is_finite, {x}), x, m.number(-INFINITY)})}, Reduce{channels}));
  });
}

/// Of numbers that are compared as they are, and of sizes, which code compares as whole numbers: per image, channel, and of
/// all.
TEST(Compiled, Maxima) {
  compare_at_all_sizes([](Maker& m, const Shape& shape) {
    const Use x = m.input(shape), product = m.add(Op::multiply, {x, m.input({shape[0], 1, 1, 1})});
    for (const Use size : {x, m.add(Op::abs, {x}), m.add(Op::abs, {product}), m.add(Op::abs, {m.cast(product, DType::bf16)})}) {
      const Use value = m.cast(size, DType::f32);
      for (const Shape& kept : {Shape{shape[0], 1, 1, 1}, Shape{shape.channels()}, Shape{}}) {
        m.fetch(m.add(Op::reduce_max, {value}, Reduce{kept}));
      }
    }
    m.fetch(m.add(Op::reduce_min, {m.add(Op::abs, {product})}, Reduce{{shape[0], 1, 1, 1}}));
  });
}

/// As in backward passes: sums of channels and a learned number's gradient beside maxima of images, in one pass.
TEST(Compiled, SumsBesideMaximaOfImages) {
  compare_at_all_sizes([](Maker& m, const Shape& shape) {
    const Shape channels{shape.channels()};
    const Use y = m.cast(m.add(Op::multiply, {m.input(shape), m.input(channels)}), DType::bf16);
    m.fetch(y);
    m.fetch(m.add(Op::reduce_max, {m.cast(m.add(Op::abs, {y}), DType::f32)}, Reduce{{shape[0], 1, 1, 1}}));
    m.fetch(m.add(Op::sum, {m.cast(y, DType::f32)}, Reduce{channels}));
    m.fetch(m.add(Op::sum, {m.add(Op::multiply, {m.cast(y, DType::f32), m.number(0.3)})}, Reduce{{}}));
  });
}

/// As a gradient is rounded: a row so long that chunks are columns, beside one number for each row.
TEST(Compiled, LongRows) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  std::mt19937 random(8);
  Counts counts;
  for (const std::int64_t cols : {16384, 33000}) {
    Maker m;
    const Use x = m.input({5, cols}, DType::bf16), row = m.input({cols});
    const Use product = m.add(Op::multiply, {m.cast(x, DType::f32), m.input({5, 1})});
    m.fetch(m.add(Op::floor, {m.add(Op::add, {product, m.add(Op::subtract, {row, m.input({5, 1})})})}));
    compare_groups(m.graph, random, counts);
    if (HasFatalFailure()) return;
  }
  EXPECT_TRUE(counts.refused.empty());
}

/// x * row of so many rows and columns, by the best kind.
std::unique_ptr<Kernel> scaled(std::int64_t rows, std::int64_t cols) {
  Maker m;
  const Use product = m.add(Op::multiply, {m.input({rows, cols}), m.input({cols})});
  return make_fused(m.graph, lowering::group_of(m.graph, product.node), 1);
}

TEST(Compiled, ExtentsShareCode) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  const std::string name = scaled(3, 64)->implementation();
  EXPECT_TRUE(name.starts_with("fused_")) << name;
  EXPECT_EQ(scaled(700, 131)->implementation(), name);
}

TEST(Compiled, PagesAreNeverWritableAndExecutable) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  const auto mappings = [](const std::string& rights) {
    std::ifstream maps("/proc/self/maps");
    int found = 0;
    for (std::string line; std::getline(maps, line);) found += line.find(' ' + rights + ' ') != line.npos;
    return found;
  };
  const int before = mappings("r-xp"), unsafe = mappings("rwxp");
  const auto kernel = scaled(5, 160);
  EXPECT_EQ(mappings("r-xp"), before + 1);
  EXPECT_EQ(mappings("rwxp"), unsafe);
}

/// As a stranger's quantizer might make one: code has its limits, and what is beyond them is interpreted.
TEST(Compiled, TooLongAPassIsInterpreted) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  Maker m;
  const Use x = m.input({2, 64});
  lowering::Group group{.nodes = {}, .inputs = {x}, .outputs = {}};
  Use y = x;
  for (int chain = 0; chain < 80; ++chain) {  // a single one would be so deep that walking it takes much of a stack
    const Use number = m.number(chain + 2);
    group.nodes.push_back(number.node);
    Use end = x;
    for (int i = 0; i < 500; ++i) {
      end = m.add(i % 2 == 0 ? Op::add : Op::multiply, {end, i == 0 ? number : x});
      group.nodes.push_back(end.node);
    }
    y = m.add(Op::add, {y, end});
    group.nodes.push_back(y.node);
  }
  group.outputs = {y};
  const auto kernel = make_fused(m.graph, group, 1);
  EXPECT_THAT(kernel->implementation(),
              ::testing::AllOf(::testing::StartsWith("interpreted by "), ::testing::HasSubstr("too big")));
}

TEST(Compiled, InterpreterSaysWhatItTakes) {
  Maker m;
  const Use apart = m.add(Op::transpose, {m.input({64, 64})}, Axes{{1, 0}}), x = m.input({64, 64});
  const Use result = m.add(Op::add, {apart, x});
  const lowering::Group group{.nodes = {apart.node, result.node}, .inputs = {{0, 0}, x}, .outputs = {result}};
  const auto kernel = make_fused(m.graph, group, 1);
  EXPECT_THAT(kernel->implementation(), ::testing::StartsWith("interpreted by "));
  if (body_kinds().size() > 1) {
    EXPECT_THAT(kernel->implementation(), ::testing::EndsWith(": columns apart"));
  }
}

/// exp, log and tanh of wild numbers, and of every exponent with mantissas all over.
TEST(Compiled, ElementaryFunctions) {
  compare_at_all_sizes([](Maker& m, const Shape& shape) {
    const Use x = m.input(shape), half = m.cast(m.input(shape), DType::bf16);
    for (const Op op : {Op::exp, Op::log, Op::tanh}) {
      m.fetch(m.add(op, {m.add(Op::multiply, {x, m.input({shape.channels()})})}));
      m.fetch(m.cast(m.add(op, {half}), DType::bf16));
      m.fetch(m.add(Op::sum, {m.add(op, {m.add(Op::abs, {x})})}, Reduce{Shape{shape.channels()}}));
    }
  });
  if (body_kinds().size() == 1) GTEST_SKIP();
  constexpr std::int64_t count = 1 << 21;
  for (const Op op : {Op::exp, Op::log, Op::tanh}) {
    Maker m;
    const Use x = m.input({count});
    m.fetch(m.add(op, {x}));
    Tensors tensors;
    Memory& memory = tensors[{x.node, 0}] = Memory(count * sizeof(float));
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t bits = i << 11 | (i * 2654435761U >> 21);
      std::memcpy(memory.data() + std::size_t{i} * 4, &bits, 4);
    }
    Counts counts;
    std::vector<Memory> outputs;
    compare_kinds(m.graph, lowering::group_of(m.graph, m.graph.fetches[0].use.node), tensors, counts, outputs);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Fifties, CompiledRandom, ::testing::Range(0U, 20U));

}  // namespace
}  // namespace qfw::cpu::testing
