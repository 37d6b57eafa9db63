#include "qfw/bounds.h"

#include <cmath>
#include <limits>
#include <random>

#include "qfw/denormals.h"
#include "qfw/op_definition.h"
#include "unit/ops/evaluate.h"

using namespace qfw;
using namespace qfw::test;

namespace qfw {

static void PrintTo(const Bounds& bounds, std::ostream* out) { *out << bounds.low << " .. " << bounds.high; }

}  // namespace qfw

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The bounds of what `build` makes of x, an f32 input of which nothing is known.
Bounds bounds_of(const std::function<Value(GraphBuilder& g, Value x)>& build) {
  GraphBuilder g({.training = true});
  const Value result = build(g, g.input("x", {{4, 4}, DType::f32}));
  return ValueBounds(g.graph()).of({result.node(), result.output()});
}
Bounds bounds_of(const std::function<Value(Value x)>& build) {
  return bounds_of([&](GraphBuilder&, Value x) { return build(x); });
}

TEST(Bounds, OfClippedCodes) {
  EXPECT_EQ(bounds_of([](Value x) { return cast(floor(clip(x, 0, 15.5)), DType::u8); }), (Bounds{0, 15}));
  EXPECT_EQ(bounds_of([](Value x) { return cast(clip(round_even(x), -7, 7), DType::s8); }), (Bounds{-7, 7}));
  EXPECT_EQ(bounds_of([](Value x) { return cast(cast(clip(round_even(x), -7, 7), DType::s8), DType::f32); }), (Bounds{-7, 7}));
  EXPECT_EQ(bounds_of([](Value x) { return clip(x, -2, 3) + 0.5; }), (Bounds{-1.5, 3.5}));
  EXPECT_EQ(bounds_of([](Value x) { return clip(x, -2, 3) * -2; }), (Bounds{-6, 4}));
  EXPECT_EQ(bounds_of([](Value x) { return -relu(clip(x, -2, 3)); }), (Bounds{-3, 0}));
  EXPECT_EQ(bounds_of([](Value x) { return abs(clip(x, -4, -3)); }), (Bounds{3, 4}));
  EXPECT_EQ(bounds_of([](Value x) { return clip(x, -6, 9) / clip(x, 2, 3); }), (Bounds{-3, 4.5}));
  EXPECT_EQ(bounds_of([](Value x) { return 1 / clip(x, 0, 3); }).high, infinity);
}

TEST(Bounds, OfUnknownValuesAreTheDTypes) {
  EXPECT_EQ(bounds_of([](Value x) { return x; }), (Bounds{-infinity, infinity}));
  EXPECT_EQ(bounds_of([](Value x) { return cast(x, DType::u8); }), (Bounds{0, 255}));
  EXPECT_EQ(bounds_of([](Value x) { return cast(x, DType::s8); }), (Bounds{-128, 127}));
  EXPECT_EQ(bounds_of([](Value x) { return cast(x, DType::s32); }), (Bounds{-0x1p31, 0x1p31 - 1}));
  const Value number = std::numeric_limits<double>::infinity();
  EXPECT_EQ(bounds_of([&](Value x) { return x * 0 + number - number; }), (Bounds{-infinity, infinity}));  // not a number
}

TEST(Bounds, AreAsFarAsTheValuesRound) {
  const double tenth = static_cast<float>(BFloat16(0.1f));
  EXPECT_GT(tenth, 0.1);
  EXPECT_EQ(bounds_of([](Value x) { return cast(minimum(x, 0.1), DType::bf16); }).high, tenth);
  EXPECT_EQ(bounds_of([](Value x) { return minimum(x, 1e-3) + 1; }).high, 1e-3f + 1.0f);
  EXPECT_EQ(bounds_of([](Value x) { return maximum(x, 1e-30) * 1e-10; }).low, 0);  // flushed where subnormals are
  EXPECT_EQ(bounds_of([](Value x) { return minimum(x, -1e-30) * 1e-10; }).high, 0);
}

TEST(Bounds, KnowTheSignBehindWhatModelsAreMadeOf) {
  const auto negative = [](const std::function<Value(GraphBuilder&, Value)>& build) { return bounds_of(build).low < 0; };
  using G = GraphBuilder;
  EXPECT_FALSE(negative([](G&, Value x) { return relu(x); }));
  EXPECT_FALSE(negative([](G&, Value x) { return max_pool(reshape(abs(x), {1, 4, 4, 1}), {}); }));
  EXPECT_FALSE(negative([](G&, Value x) { return mean_over_space(reshape(relu(x), {1, 4, 4, 1})); }));
  EXPECT_FALSE(negative([](G&, Value x) { return relu(x) + exp(x); }));
  EXPECT_FALSE(negative([](G&, Value x) { return relu(x) * abs(x); }));
  EXPECT_FALSE(negative([](G&, Value x) { return relu(x) / abs(x); }));
  EXPECT_FALSE(negative([](G&, Value x) { return select(x < 0, 0, maximum(x, 0)); }));
  EXPECT_FALSE(negative([](G&, Value x) { return minimum(relu(x), exp(x)); }));
  EXPECT_FALSE(negative([](G&, Value x) { return sqrt(x) * tanh(relu(x)); }));
  EXPECT_FALSE(negative([](G&, Value x) { return floor(round_even(stop_gradient(relu(x)))); }));
  EXPECT_FALSE(negative([](G&, Value x) { return straight_through(cast(cast(relu(x), DType::bf16), DType::f32), x); }));
  EXPECT_FALSE(negative([](G&, Value x) { return moments(x).variance; }));
  EXPECT_FALSE(negative([](G&, Value x) { return moments(relu(x)).mean; }));
  EXPECT_FALSE(negative([](G&, Value x) { return all_reduce(reduce_max(relu(x)), Across::mean); }));
  EXPECT_FALSE(negative([](G& g, Value) { return random_uniform(g, "noise", {3}) + g.step(); }));
  EXPECT_FALSE(negative([](G& g, Value x) { return cast(g.input("codes", {{4}, DType::u8}), DType::f32) * is_finite(x); }));
  EXPECT_FALSE(
      negative([](G& g, Value x) { return g.assign(g.state("largest", {}), all_reduce(reduce_max(relu(x)), Across::mean)); }));

  EXPECT_TRUE(negative([](G&, Value x) { return relu(x) - 1e-3; }));
  EXPECT_TRUE(negative([](G&, Value x) { return relu(x) + x; }));
  EXPECT_TRUE(negative([](G&, Value x) { return relu(x) * x; }));
  EXPECT_TRUE(negative([](G&, Value x) { return minimum(relu(x), x); }));
  EXPECT_TRUE(negative([](G&, Value x) { return maximum(x, -1); }));
  EXPECT_TRUE(negative([](G&, Value x) { return select(relu(x), x, 1); }));
  EXPECT_TRUE(negative([](G&, Value x) { return log(relu(x)); }));
  EXPECT_TRUE(negative([](G&, Value x) { return tanh(x); }));
  EXPECT_TRUE(negative([](G&, Value x) { return moments(x).mean; }));
  EXPECT_TRUE(negative([](G& g, Value x) { return dense(relu(x), g.parameter("weights", {4, 2}, Init::zeros())); }));
  EXPECT_TRUE(negative([](G& g, Value) { return g.state("mean", {4}); }));
}

/// Each value is asked for once, however often it is used: 2^200 ways lead back here.
TEST(Bounds, OfALongResidualChainAreLinear) {
  const auto chain = [](Value x) {
    for (int i = 0; i < 200; ++i) x = x + x;
    return x;
  };
  EXPECT_EQ(bounds_of([&](Value x) { return chain(x); }), (Bounds{-infinity, infinity}));
  EXPECT_EQ(bounds_of([&](Value x) { return chain(relu(x)); }), (Bounds{0, infinity}));
  EXPECT_EQ(bounds_of([&](Value x) { return chain(clip(x, -0x1p-100, 0x1p-110)); }), (Bounds{-0x1p100, 0x1p90}));
}

TEST(Bounds, FollowAGraphThatGrows) {
  GraphBuilder g({.training = false});
  const Value x = relu(g.input("x", {{4}, DType::f32}));
  ValueBounds bounds(g.graph());
  EXPECT_EQ(bounds.of({x.node(), 0}), (Bounds{0, infinity}));
  const Value y = -x;
  EXPECT_EQ(bounds.of({y.node(), 0}), (Bounds{-infinity, 0}));
}

// ---- every rule against values -------------------------------------------------------------------------------------------
/// A random graph of every op that has a kernel or an expansion; all its values.
class RandomValues {
 public:
  explicit RandomValues(unsigned seed) : random_(seed) {}

  std::vector<Value> make(const std::vector<Value>& operands) {
    for (const Value& operand : operands) {
      add(operand);
      add(clip(operand, some_number(), some_number()));
    }
    while (values_.size() < 40) add(next());
    return values_;
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
  double some_number() {
    constexpr double numbers[] = {-3e38, -100, -2.5, -1, -1e-39, 0, 1e-39, 1e-20, 0.1, 1, 2.5, 7, 1e20, 3e38};
    return numbers[below(std::size(numbers))];
  }
  void add(Value value) {
    if (!value.is_number()) values_.push_back(value);
  }
  /// A value of shape [4, 4] as floats, or a number.
  Value some() {
    if (below(8) == 0) return some_number();
    const Value value = values_[static_cast<std::size_t>(below(static_cast<int>(values_.size())))];
    const Value real = is_float(value.dtype()) ? value : cast(value, DType::f32);
    return real.shape() == Shape{4, 4} ? real : broadcast_to(sum(real), {4, 4});
  }
  Value tensor() {
    const Value value = some();
    return value.is_number() ? values_[0] + value : value;
  }

  Value next() {
    const Value a = tensor(), b = some();
    // clang-format off
    switch (below(33)) {
      case 0: return a + b;
      case 1: return a - b;
      case 2: return b - a;
      case 3: return a * b;
      case 4: return b / abs(a);  // of either sign a divisor of zero would count as +0
      case 5: return b / (a + 0.5);
      case 6: return minimum(a, b);
      case 7: return maximum(a, b);
      case 8: return -a;
      case 9: return relu(a);
      case 10: return abs(a);
      case 11: return exp(a);
      case 12: return log(a);
      case 13: return sqrt(a);
      case 14: return tanh(a);
      case 15: return floor(a);
      case 16: return round_even(a);
      case 17: return is_finite(a);
      case 18: return a < b;
      case 19: return equal(a, b);
      case 20: return select(a, b, tensor());
      case 21: return cast(a, a.dtype() == DType::bf16 ? DType::f32 : DType::bf16);
      case 22: return cast(select(is_finite(a), clip(floor(select(is_finite(a), a, 0)), -100, 15), 0), DType::s8);
      case 23: return cast(clip(round_even(select(is_finite(a), a, 0)), 3, 200), DType::s32);
      case 24: return straight_through(floor(a), a);
      case 25: return transpose(a, {0, 1});
      case 26: return sum(a, Keep::channel);
      case 27: return below(2) == 0 ? reduce_max(a) : reduce_min(a, Keep::channel);
      case 28: return moments(a).mean;
      case 29: return moments(a).variance;
      case 30: return softmax_cross_entropy(a, relu(tensor()));
      case 31: return dense(cast(a, DType::f32), cast(tensor(), DType::f32));
      default: return max_pool(reshape(a, {1, 4, 4, 1}), {});
    }
    // clang-format on
  }

  std::mt19937 random_;
  std::vector<Value> values_;
};

std::vector<double> wild(std::mt19937& random) {
  constexpr double special[] = {infinity, -infinity, NAN, 0.0, -0.0, 1e-39, -1e-39, 3e38, -3e38, 1e-20};
  std::vector<double> values(16);
  for (double& value : values) {
    const auto choice = random() % 40;
    value = choice < std::size(special) ? special[choice] : std::normal_distribution<double>(0, 3)(random);
  }
  return values;
}

void expect_within(const std::vector<Tensor>& found, const std::vector<Bounds>& bounds, const std::vector<std::string>& names) {
  ASSERT_EQ(found.size(), bounds.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const double value : values(found[i])) {
      if (std::isnan(value)) continue;
      EXPECT_TRUE(bounds[i].low <= value && value <= bounds[i].high)
          << names[i] << " is " << value << ", beyond " << bounds[i].low << " .. " << bounds[i].high;
    }
  }
}

TEST(Bounds, HoldForRandomGraphs) {
  for (unsigned seed = 1; seed <= 400 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::vector<Bounds> bounds;
    std::vector<std::string> names;
    const Build build = [&](GraphBuilder& g, const std::vector<Value>& operands) {
      bounds.clear();
      names.clear();
      const std::vector<Value> made = RandomValues(seed).make(operands);
      ValueBounds known(g.graph());
      for (const Value& value : made) {
        const Use use{value.node(), value.output()};
        bounds.push_back(known.of(use));
        const Node& node = g.graph().nodes[use.node];
        names.push_back("%" + std::to_string(use.node) + " " + name_of(node.op) + " " + node.outputs[use.output].str());
      }
      return made;
    };
    std::mt19937 random(seed);
    const std::vector<Tensor> operands{f32({4, 4}, wild(random)), bf16({4, 4}, wild(random))};
    expect_within(evaluate(build, operands), bounds, names);
    const auto recorded = bounds;
    const FlushDenormals flush;  // as backends compute
    expect_within(evaluate(build, operands), recorded, names);
  }
}

TEST(Bounds, OfEveryOpAreStatedOrNothingIsKnown) {
  for (int number = 0; number < op_count; ++number) {
    const OpDefinition& rules = definition(static_cast<Op>(number));
    const bool source = rules.op == Op::input || rules.op == Op::variable || rules.op == Op::tensor;
    const bool unknown = source || rules.op == Op::normalize;
    EXPECT_EQ(rules.bounds == nullptr, unknown) << rules.name;
  }
}

}  // namespace
