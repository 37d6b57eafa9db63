#include "qfw/error.h"
#include "unit/ops/evaluate.h"

using namespace qfw;
using namespace qfw::test;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const Build choose = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{select(x[0], x[1], x[2])}; };

TEST(Select, TakesOneOrTheOther) {
  EXPECT_THAT(evaluate_one(choose, {f32({3}, {0, 1, -2}), f32({3}, {1, 2, 3}), f32({}, {9})}), ElementsAre(9, 2, 3));
  expect_true_gradients(choose, {f32({2, 3}, {0, 1, 1, 0, 0, 1}), spread({2, 3}), spread({3}, 2)});
}

TEST(Select, GivesTheConditionNoGradient) {
  EXPECT_THAT(gradients(choose, {f32({3}, {0, 1, 2}), spread({3}), spread({3}, 2)}).at(0), Each(0.0));
}

TEST(Select, HasTheDtypeOfItsChoicesNotOfTheMask) {
  const Build with_number = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{select(x[0], x[1], 0)}; };
  EXPECT_EQ(type_of(with_number, {{{4}, DType::f32}, {{4}, DType::bf16}}).dtype, DType::bf16);
  EXPECT_EQ(type_of(choose, {{{4}, DType::bf16}, {{4}, DType::bf16}, {{4}, DType::f32}}).dtype, DType::f32);
  EXPECT_THAT(error_of(choose, {{{4}, DType::f32}, {{4}, DType::u8}, {{4}, DType::f32}}), HasSubstr("operand 1 is u8[4]"));
  EXPECT_EQ(select(1, 5, 6).number(), 5);
}

Build cast_to(DType to) {
  return [to](GraphBuilder&, const std::vector<Value>& x) { return std::vector{cast(x[0], to)}; };
}

TEST(Cast, RoundsToBf16AndTakesWholeNumbersToIntegers) {
  EXPECT_THAT(evaluate_one(cast_to(DType::bf16), {f32({3}, {1.00390625, 1.01171875, -3})}), ElementsAre(1, 1.015625, -3));
  EXPECT_THAT(evaluate_one(cast_to(DType::u8), {f32({2}, {0, 255})}), ElementsAre(0, 255));
  EXPECT_THAT(evaluate_one(cast_to(DType::s8), {bf16({2}, {-128, 127})}), ElementsAre(-128, 127));
  EXPECT_THAT(evaluate_one(cast_to(DType::f32), {tensor(DType::s32, {2}, {-16777217, 16777219})}),
              ElementsAre(-16777216, 16777220));
  EXPECT_THAT(evaluate_one(cast_to(DType::s32), {tensor(DType::u8, {2}, {0, 200})}), ElementsAre(0, 200));
}

TEST(Cast, RefusesWhatTheIntegerCannotHold) {
  for (const double bad : {0.5, 256.0, -1.0, 1e30}) {
    EXPECT_THROW(evaluate(cast_to(DType::u8), {f32({1}, {bad})}), Error) << bad;
  }
  try {
    evaluate(cast_to(DType::s8), {f32({2}, {3, 128})});
    FAIL() << "128 was cast to s8";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("element 1 is 128"), HasSubstr("range of s8")));
  }
}

TEST(Cast, PassesTheGradientBetweenFloatsUnrounded) {
  // 1/3 is not a bf16 number, and arrives all the same.
  EXPECT_THAT(gradients(cast_to(DType::bf16), {f32({1}, {2})}, {1.0 / 3}).at(0), ElementsAre(static_cast<float>(1.0 / 3)));
  const Build through_integers = [](GraphBuilder&, const std::vector<Value>& x) {
    return std::vector{cast(cast(x[0], DType::s8), DType::f32)};
  };
  EXPECT_THAT(gradients(through_integers, {f32({2}, {1, 2})}).at(0), Each(0.0));
}

TEST(Cast, AddsNothingForTheSameDtype) {
  GraphBuilder g({.training = true});
  const Value x = g.parameter("x", {2}, Init::zeros());
  EXPECT_EQ(cast(x, DType::f32).node(), x.node());
}

TEST(StraightThrough, IsTheValueForwardAndTheSurrogateBackward) {
  const Build build = [](GraphBuilder&, const std::vector<Value>& x) {
    return std::vector{straight_through(x[0] * 3, x[1] * 5)};
  };
  EXPECT_THAT(evaluate_one(build, {f32({2}, {1, 2}), f32({2}, {7, 8})}), ElementsAre(3, 6));
  const auto found = gradients(build, {f32({2}, {1, 2}), f32({2}, {7, 8})});
  EXPECT_THAT(found.at(0), ElementsAre(0, 0));
  EXPECT_THAT(found.at(1), ElementsAre(5, 5));
}

TEST(StraightThrough, WantsEqualShapes) {
  const Build build = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{straight_through(x[0], x[1])}; };
  EXPECT_THAT(error_of(build, {{{2}, DType::f32}, {{3}, DType::f32}}), HasSubstr("value is f32[2], surrogate is f32[3]"));
  EXPECT_EQ(type_of(build, {{{2}, DType::bf16}, {{2}, DType::f32}}).dtype, DType::bf16);
}

TEST(StraightThrough, MakesTheRoundingsAndTheScaledGradient) {
  const auto gradient_of = [](auto f) {
    return gradients([=](GraphBuilder&, const std::vector<Value>& x) { return std::vector{f(x[0])}; }, {f32({2}, {1.4, -2.6})})
        .at(0);
  };
  EXPECT_THAT(gradient_of([](Value x) { return floor_ste(x); }), ElementsAre(1, 1));
  EXPECT_THAT(gradient_of([](Value x) { return round_even_ste(x) * 2; }), ElementsAre(2, 2));
  EXPECT_THAT(gradient_of([](Value x) { return scale_gradient(x, 0.25); }), ElementsAre(0.25, 0.25));
  EXPECT_THAT(gradient_of([](Value x) { return x + stop_gradient(x * x); }), ElementsAre(1, 1));
  EXPECT_THAT(gradient_of([](Value x) { return straight_through(1, x) * 4; }), ElementsAre(4, 4));
}

}  // namespace
