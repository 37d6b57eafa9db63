#include "matmul/range.h"
#include "single.h"

namespace qfw::cpu::test {
namespace {

/// x -> op with constants, as graphs of quantizers have them.
class Chain {
 public:
  Chain() { add(Op::input, {}, Slot{0}); }

  Use add(Op op, std::vector<Use> inputs, Attributes attributes = {}, DType type = DType::f32) {
    graph_.nodes.push_back({op, std::move(inputs), std::move(attributes), {{{4}, type}}, "node"});
    return {static_cast<int>(graph_.nodes.size()) - 1, 0};
  }
  Use number(double value) { return add(Op::constant, {}, Number{value}); }
  Use clip(Use x, double low, double high) {
    return add(Op::minimum, {add(Op::maximum, {x, number(low)}, Ties::half), number(high)}, Ties::half);
  }
  Range range(Use use) const { return range_of(graph_, use); }

 private:
  Graph graph_;
};

void expect_range(Range range, float low, float high) {
  EXPECT_EQ(range.low, low);
  EXPECT_EQ(range.high, high);
}

TEST(Range, OfClippedCodes) {
  Chain chain;
  const Use x{0, 0};
  expect_range(chain.range(chain.add(Op::cast, {chain.add(Op::floor, {chain.clip(x, 0, 15.5)})}, DType::u8, DType::u8)), 0, 15);
  expect_range(chain.range(chain.add(Op::cast, {chain.clip(chain.add(Op::round_even, {x}), -7, 7)}, DType::s8, DType::s8)), -7,
               7);
  expect_range(chain.range(chain.add(Op::add, {chain.clip(x, -2, 3), chain.number(0.5)})), -1.5f, 3.5f);
  expect_range(chain.range(chain.add(Op::multiply, {chain.clip(x, -2, 3), chain.number(-2)})), -6, 4);
  expect_range(chain.range(chain.add(Op::negate, {chain.add(Op::relu, {chain.clip(x, -2, 3)})})), -3, 0);
}

TEST(Range, OfUnknownValuesIsTheTypes) {
  Chain chain;
  const Use x{0, 0};
  expect_range(chain.range(chain.add(Op::cast, {x}, DType::u8, DType::u8)), 0, 255);
  expect_range(chain.range(chain.add(Op::cast, {x}, DType::s8, DType::s8)), -128, 127);
  const Use product = chain.add(Op::multiply, {x, chain.number(0)});  // infinity times zero bounds nothing
  expect_range(chain.range(chain.add(Op::cast, {product}, DType::s8, DType::s8)), -128, 127);
}

TEST(Range, GivesUpOnLongChains) {
  Chain chain;
  Use x = chain.clip({0, 0}, 0, 1);
  for (int i = 0; i < 12; ++i) x = chain.add(Op::add, {x, x});
  expect_range(chain.range(chain.add(Op::cast, {x}, DType::u8, DType::u8)), 0, 255);
}

}  // namespace
}  // namespace qfw::cpu::test
