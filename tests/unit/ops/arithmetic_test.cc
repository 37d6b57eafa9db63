#include <cmath>
#include <limits>

#include "unit/ops/evaluate.h"

using namespace qfw;
using namespace qfw::test;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Binary {
  const char* name;
  Value (*op)(Value, Value);
  double (*expected)(double, double);
  bool differentiable = true;
};

void PrintTo(const Binary& binary, std::ostream* out) { *out << binary.name; }

const std::vector<Binary> binary_ops = {
    {"add", [](Value a, Value b) { return a + b; }, [](double a, double b) { return a + b; }},
    {"subtract", [](Value a, Value b) { return a - b; }, [](double a, double b) { return a - b; }},
    {"multiply", [](Value a, Value b) { return a * b; }, [](double a, double b) { return a * b; }},
    {"divide", [](Value a, Value b) { return a / b; }, [](double a, double b) { return a / b; }},
    {"minimum", [](Value a, Value b) { return minimum(a, b); }, [](double a, double b) { return std::min(a, b); }},
    {"maximum", [](Value a, Value b) { return maximum(a, b); }, [](double a, double b) { return std::max(a, b); }},
    {"less", [](Value a, Value b) { return a < b; }, [](double a, double b) { return a < b ? 1.0 : 0.0; }, false},
    {"greater", [](Value a, Value b) { return a > b; }, [](double a, double b) { return a > b ? 1.0 : 0.0; }, false},
    {"less_equal", [](Value a, Value b) { return a <= b; }, [](double a, double b) { return a <= b ? 1.0 : 0.0; }, false},
    {"greater_equal", [](Value a, Value b) { return a >= b; }, [](double a, double b) { return a >= b ? 1.0 : 0.0; }, false},
    {"equal", [](Value a, Value b) { return equal(a, b); }, [](double a, double b) { return a == b ? 1.0 : 0.0; }, false},
};

class BinaryOps : public testing::TestWithParam<Binary> {
 protected:
  Build build() const {
    return [op = GetParam().op](GraphBuilder&, const std::vector<Value>& x) { return std::vector{op(x[0], x[1])}; };
  }
};

TEST_P(BinaryOps, GivesTheRightValuesUnderBroadcasting) {
  const std::vector<double> a = {-1.5, 2, 0.5, 4, 5, -6}, row = {2, 2, -0.5}, column = {2, 4};
  const auto with_row = evaluate_one(build(), {f32({2, 3}, a), f32({3}, row)});
  const auto with_column = evaluate_one(build(), {f32({2, 1}, column), f32({2, 3}, a)});
  ASSERT_EQ(with_row.size(), 6u);
  for (int i = 0; i < 6; ++i) {
    EXPECT_FLOAT_EQ(with_row[i], GetParam().expected(a[i], row[i % 3])) << i;
    EXPECT_FLOAT_EQ(with_column[i], GetParam().expected(column[i / 3], a[i])) << i;
  }
}

TEST_P(BinaryOps, FoldsPlainNumbersAndLendsThemADtype) {
  const Value folded = GetParam().op(1.25, 0.5);
  ASSERT_TRUE(folded.is_number());
  EXPECT_DOUBLE_EQ(folded.number(), GetParam().expected(1.25, 0.5));

  const Build with_number = [op = GetParam().op](GraphBuilder&, const std::vector<Value>& x) {
    return std::vector{op(x[0], 0.5)};
  };
  EXPECT_EQ(type_of(with_number, {{{3}, DType::bf16}}).dtype, GetParam().differentiable ? DType::bf16 : DType::f32);
}

TEST_P(BinaryOps, HasTheGradientOfItsFunction) {
  const std::vector<Tensor> operands = {spread({2, 3, 4}), f32({3, 1}, {-1.31, 0.73, 1.57})};
  if (GetParam().differentiable) {
    expect_true_gradients(build(), operands);
  } else {
    const auto found = gradients(build(), operands);
    EXPECT_THAT(found.at(0), Each(0.0));
    EXPECT_THAT(found.at(1), Each(0.0));
  }
}

TEST_P(BinaryOps, RefusesShapesThatDoNotMeetAndIntegers) {
  EXPECT_THAT(error_of(build(), {{{2, 3}, DType::f32}, {{4}, DType::f32}}),
              testing::AllOf(testing::AnyOf(HasSubstr("[2, 3] and [4]"), HasSubstr("[4] and [2, 3]")), HasSubstr("here")));
  EXPECT_THAT(error_of(build(), {{{3}, DType::f32}, {{3}, DType::s8}}), HasSubstr("is s8[3]"));
}

TEST_P(BinaryOps, MeetsBf16InF32) {
  const DType both = type_of(build(), {{{3}, DType::bf16}, {{3}, DType::bf16}}).dtype;
  EXPECT_EQ(both, GetParam().differentiable ? DType::bf16 : DType::f32);
  EXPECT_EQ(type_of(build(), {{{3}, DType::bf16}, {{3}, DType::f32}}).dtype, DType::f32);
}

INSTANTIATE_TEST_SUITE_P(Arithmetic, BinaryOps, testing::ValuesIn(binary_ops),
                         [](const auto& info) { return info.param.name; });

/// Gradients of the two operands of an op at a tie.
std::vector<double> at_tie(Value (*op)(Value, Value, Ties), Ties ties) {
  const Build build = [=](GraphBuilder&, const std::vector<Value>& x) { return std::vector{op(x[0], x[1], ties)}; };
  const auto found = gradients(build, {f32({1}, {3}), f32({1}, {3})});
  return {found.at(0).at(0), found.at(1).at(0)};
}

TEST(Ties, DecideWhatEitherOperandGets) {
  for (const auto op : {minimum, maximum}) {
    EXPECT_THAT(at_tie(op, Ties::half), ElementsAre(0.5, 0.5));
    EXPECT_THAT(at_tie(op, Ties::pass), ElementsAre(1, 0));
    EXPECT_THAT(at_tie(op, Ties::block), ElementsAre(0, 0));
  }
}

TEST(Clip, PassesTheGradientInsideAndTheTiesShareAtTheLimits) {
  const Tensor x = f32({5}, {-3, -1, 0, 2, 5});
  const auto gradient_with = [&](Ties ties) {
    return gradients([=](GraphBuilder&, const std::vector<Value>& v) { return std::vector{clip(v[0], -1, 2, ties)}; }, {x})
        .at(0);
  };
  EXPECT_THAT(gradient_with(Ties::half), ElementsAre(0, 0.5, 1, 0.5, 0));
  EXPECT_THAT(gradient_with(Ties::pass), ElementsAre(0, 1, 1, 1, 0));
  EXPECT_THAT(gradient_with(Ties::block), ElementsAre(0, 0, 1, 0, 0));
}

TEST(Clip, GivesTheGradientToALimitThatBinds) {
  const Build build = [](GraphBuilder&, const std::vector<Value>& v) { return std::vector{clip(v[0], -v[1], v[1])}; };
  EXPECT_THAT(evaluate_one(build, {f32({4}, {-3, 0.5, 4, 7}), f32({}, {1})}), ElementsAre(-1, 0.5, 1, 1));
  EXPECT_THAT(gradients(build, {f32({4}, {-3, 0.5, 4, 7}), f32({}, {1})}).at(1), ElementsAre(1));  // -1 + 0 + 1 + 1
}

TEST(MinimumAndMaximum, KeepNaN) {
  const Tensor a = f32({2}, {nan, 1}), b = f32({2}, {1, nan});
  for (const auto op : {minimum, maximum}) {
    const Build build = [=](GraphBuilder&, const std::vector<Value>& x) { return std::vector{op(x[0], x[1], Ties::half)}; };
    for (const double value : evaluate_one(build, {a, b})) EXPECT_TRUE(std::isnan(value));
  }
}

}  // namespace
