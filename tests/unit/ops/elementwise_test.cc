#include <cmath>
#include <limits>

#include "unit/ops/evaluate.h"

using namespace qfw;
using namespace qfw::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

struct Unary {
  const char* name;
  Value (*op)(Value);
  double (*expected)(double);
  std::vector<double> at;  ///< where values are checked
  bool differentiable = true, positive = false;
};

void PrintTo(const Unary& unary, std::ostream* out) { *out << unary.name; }

Value minus(Value x) { return -x; }

class UnaryOps : public testing::TestWithParam<Unary> {};

const std::vector<Unary> unary_ops = {
    {"negate", minus, [](double x) { return -x; }, {-1.5, 0, 2}},
    {"relu", relu, [](double x) { return x > 0 ? x : 0.0; }, {-1.5, 0, 2, infinity}},
    {"abs", qfw::abs, [](double x) { return std::abs(x); }, {-1.5, 0, 2, -infinity}},
    {"exp", qfw::exp, [](double x) { return std::exp(x); }, {-2, 0, 1, 3.5}},
    {"log", qfw::log, [](double x) { return std::log(x); }, {0.1, 1, 7, 0}, true, true},
    {"sqrt", qfw::sqrt, [](double x) { return std::sqrt(x); }, {0.25, 2, 9, 0}, true, true},
    {"tanh", qfw::tanh, [](double x) { return std::tanh(x); }, {-3, -0.5, 0, 0.25}},
    {"floor", qfw::floor, [](double x) { return std::floor(x); }, {-1.5, -1, -0.25, 0.75, 2}, false},
    {"round_even", round_even, [](double x) { return std::nearbyint(x); }, {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.75}, false},
    {"is_finite", is_finite, [](double x) { return std::isfinite(x) ? 1.0 : 0.0; }, {0, 1, infinity, -infinity, nan}, false},
};

Build build_of(Value (*op)(Value)) {
  return [op](GraphBuilder&, const std::vector<Value>& x) { return std::vector{op(x[0])}; };
}

TEST_P(UnaryOps, GivesTheRightValues) {
  const Unary& unary = GetParam();
  const auto found = evaluate_one(build_of(unary.op), {f32({static_cast<std::int64_t>(unary.at.size())}, unary.at)});
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_FLOAT_EQ(found[i], unary.expected(unary.at[i])) << "at " << unary.at[i];
}

TEST_P(UnaryOps, FoldsPlainNumbers) {
  const Unary& unary = GetParam();
  const Value result = unary.op(0.75);
  ASSERT_TRUE(result.is_number());
  EXPECT_DOUBLE_EQ(result.number(), unary.expected(0.75));
}

TEST_P(UnaryOps, HasTheGradientOfItsFunction) {
  const Unary& unary = GetParam();
  Tensor x = spread({3, 5});
  if (unary.positive) {
    auto positive = values(x);
    for (double& value : positive) value = std::abs(value) + 0.5;
    x = f32({3, 5}, positive);
  }
  if (unary.differentiable) {
    expect_true_gradients(build_of(unary.op), {x});
  } else {
    EXPECT_THAT(gradients(build_of(unary.op), {x}).at(0), testing::Each(0.0));
  }
}

TEST_P(UnaryOps, RefusesIntegers) {
  EXPECT_THAT(error_of(build_of(GetParam().op), {{{4}, DType::s32}}),
              testing::AllOf(HasSubstr("takes floats, operand 0 is s32[4]"), HasSubstr("cast it first"), HasSubstr("here")));
}

TEST_P(UnaryOps, KeepsBf16) {
  const DType expected = std::string(GetParam().name) == "is_finite" ? DType::f32 : DType::bf16;
  EXPECT_EQ(type_of(build_of(GetParam().op), {{{2, 3}, DType::bf16}}), (TensorType{{2, 3}, expected}));
}

INSTANTIATE_TEST_SUITE_P(Elementwise, UnaryOps, testing::ValuesIn(unary_ops), [](const auto& info) { return info.param.name; });

TEST(Relu, PassesNoGradientAtZeroAndKeepsNaN) {
  const Tensor x = f32({3}, {-1, 0, 1});
  EXPECT_THAT(gradients(build_of(relu), {x}).at(0), ElementsAre(0, 0, 1));
  EXPECT_TRUE(std::isnan(evaluate_one(build_of(relu), {f32({1}, {nan})}).at(0)));
}

TEST(Abs, PassesNoGradientAtZero) {
  EXPECT_THAT(gradients(build_of(qfw::abs), {f32({3}, {-1, 0, 1})}).at(0), ElementsAre(-1, 0, 1));
}

TEST(Bf16, RoundsOnceToNearestEven) {
  const auto twice = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{x[0] * x[1]}; };
  // 1.0078125 squared is 1.01568603515625, between the bf16 numbers 1.015625 and 1.0234375.
  EXPECT_THAT(evaluate_one(twice, {bf16({1}, {1.0078125}), bf16({1}, {1.0078125})}), ElementsAre(1.015625));
  // With f32 the result is f32 and exact.
  EXPECT_THAT(evaluate_one(twice, {bf16({1}, {1.0078125}), f32({1}, {1.0078125})}), ElementsAre(1.01568603515625));
}

}  // namespace
