#include "unit/ops/evaluate.h"

using namespace qfw;
using namespace qfw::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

template <class F>
Build with(F f) {
  return [f](GraphBuilder&, const std::vector<Value>& x) { return std::vector<Value>{f(x[0])}; };
}

TEST(Reshape, KeepsTheOrderOfElements) {
  const Build build = with([](Value x) { return reshape(x, {3, 2}); });
  EXPECT_EQ(type_of(build, {{{2, 3}, DType::s8}}), (TensorType{{3, 2}, DType::s8}));
  EXPECT_THAT(evaluate_one(build, {f32({2, 3}, {1, 2, 3, 4, 5, 6})}), ElementsAre(1, 2, 3, 4, 5, 6));
  expect_true_gradients(build, {spread({2, 3})});
  EXPECT_THAT(error_of(build, {{{2, 4}, DType::f32}}), HasSubstr("[2, 4] has 8 elements, [3, 2] has 6"));
}

TEST(Transpose, SwapsTwoAxes) {
  const Build build = with([](Value x) { return transpose(x, {0, 2}); });
  EXPECT_EQ(type_of(build, {{{2, 3, 4}, DType::u8}}), (TensorType{{4, 3, 2}, DType::u8}));
  EXPECT_THAT(evaluate_one(with([](Value x) {
                             return transpose(x, {0, 1});
                           }),
                           {f32({2, 3}, {1, 2, 3, 4, 5, 6})}),
              ElementsAre(1, 4, 2, 5, 3, 6));
  expect_true_gradients(build, {spread({2, 3, 4})});
  EXPECT_THAT(error_of(build, {{{2, 3}, DType::f32}}), HasSubstr("axes 0 and 2 of [2, 3]"));
}

TEST(BroadcastTo, Repeats) {
  const Build build = with([](Value x) { return broadcast_to(x, {2, 2, 3}); });
  EXPECT_THAT(evaluate_one(build, {f32({2, 1}, {1, 2})}), ElementsAre(1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2));
  expect_true_gradients(build, {spread({2, 1})});
  EXPECT_THAT(error_of(build, {{{4}, DType::f32}}), HasSubstr("[4] does not broadcast to [2, 2, 3]"));
  EXPECT_THAT(error_of(build, {{{1, 1, 1, 3}, DType::f32}}), HasSubstr("does not broadcast"));
}

TEST(Sum, ReducesToNothingChannelsOrAShape) {
  const Tensor x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_THAT(evaluate_one(with([](Value v) { return sum(v); }), {x}), ElementsAre(21));
  EXPECT_THAT(evaluate_one(with([](Value v) { return sum(v, Keep::channel); }), {x}), ElementsAre(5, 7, 9));
  EXPECT_THAT(evaluate_one(with([](Value v) { return sum_to(v, {2, 1}); }), {x}), ElementsAre(6, 15));
  EXPECT_THAT(evaluate_one(with([](Value v) { return mean(v, Keep::channel); }), {x}), ElementsAre(2.5, 3.5, 4.5));
  EXPECT_THAT(evaluate_one(with([](Value v) { return mean(v); }), {x}), ElementsAre(3.5));
  expect_true_gradients(with([](Value v) { return sum(v, Keep::channel); }), {spread({2, 2, 3})});
  expect_true_gradients(with([](Value v) { return sum_to(v, {2, 1, 3}); }), {spread({2, 5, 3})});
  expect_true_gradients(with([](Value v) { return mean(v); }), {spread({3, 4})});
}

TEST(Sum, IsF32AndOfFloats) {
  EXPECT_EQ(type_of(with([](Value v) { return sum(v); }), {{{300}, DType::bf16}}), (TensorType{{}, DType::f32}));
  EXPECT_THAT(evaluate_one(with([](Value v) { return sum(v); }), {bf16({300}, std::vector<double>(300, 1))}), ElementsAre(300));
  EXPECT_THAT(error_of(with([](Value v) { return sum(v); }), {{{3}, DType::s32}}), HasSubstr("takes floats"));
  EXPECT_THAT(error_of(with([](Value v) { return sum_to(v, {2}); }), {{{2, 3}, DType::f32}}),
              HasSubstr("[2, 3] cannot be reduced to [2]"));
}

TEST(Extremes, ShareTheGradientAmongTies) {
  const Tensor x = f32({2, 3}, {1, 5, 3, 1, 5, -2});
  EXPECT_THAT(evaluate_one(with([](Value v) { return reduce_max(v); }), {x}), ElementsAre(5));
  EXPECT_THAT(evaluate_one(with([](Value v) { return reduce_min(v, Keep::channel); }), {x}), ElementsAre(1, 5, -2));
  EXPECT_THAT(gradients(with([](Value v) { return reduce_max(v); }), {x}).at(0), ElementsAre(0, 0.5, 0, 0, 0.5, 0));
  EXPECT_THAT(gradients(with([](Value v) { return reduce_min(v, Keep::channel); }), {x}).at(0),
              ElementsAre(0.5, 0.5, 0, 0.5, 0.5, 1));
  expect_true_gradients(with([](Value v) { return reduce_max(v, Keep::channel); }), {spread({5, 3})});
  expect_true_gradients(with([](Value v) { return reduce_min(v); }), {spread({5, 3})});
  EXPECT_THAT(error_of(with([](Value v) { return reduce_max(v); }), {{{0, 3}, DType::f32}}), HasSubstr("no elements"));
}

TEST(MeanOverSpace, AveragesEachChannelOfEachImage) {
  const Build build = with([](Value v) { return mean_over_space(v); });
  EXPECT_THAT(evaluate_one(build, {f32({1, 2, 2, 2}, {1, 10, 2, 20, 3, 30, 4, 40})}), ElementsAre(2.5, 25));
  expect_true_gradients(build, {spread({2, 3, 2, 2})});
  EXPECT_THAT(error_of(build, {{{2, 3}, DType::f32}}), HasSubstr("[mean_over_space] x is f32[2, 3]"));
}

TEST(AllReduce, TakesF32AndReducesItsGradientAlike) {
  EXPECT_THAT(error_of(with([](Value v) { return all_reduce(v, Across::mean); }), {{{2}, DType::bf16}}),
              HasSubstr("takes f32"));
  expect_true_gradients(with([](Value v) { return all_reduce(v * v, Across::sum); }), {spread({4})});  // one replica: x itself
  GraphBuilder g({.training = true});
  const Value x = all_reduce(g.parameter("x", {2}, Init::zeros()), Across::mean);
  EXPECT_EQ(g.graph().nodes[x.node()].op, Op::all_reduce);
}

}  // namespace
