#include "qfw/op_definition.h"
#include "unit/ops/evaluate.h"

using namespace qfw;
using namespace qfw::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

Build convolution(Conv2d attributes) {
  return [=](GraphBuilder&, const std::vector<Value>& x) { return std::vector{conv2d(x[0], x[1], attributes)}; };
}

const Build product = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{dense(x[0], x[1])}; };

TEST(Conv2d, IsTheCrossCorrelation) {
  const Tensor image = f32({1, 3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), kernel = f32({2, 2, 1, 1}, {1, 10, 100, 1000});
  EXPECT_THAT(evaluate_one(convolution({}), {image, kernel}), ElementsAre(5421, 6532, 8754, 9865));
  EXPECT_THAT(evaluate_one(convolution({.stride = {2, 2}, .padding = {.low = {0, 0}, .high = {1, 1}}}), {image, kernel}),
              ElementsAre(5421, 603 + 0, 87, 9));
  EXPECT_THAT(evaluate_one(convolution({.padding = {.low = {1, 1}}}), {image, kernel}),
              ElementsAre(1000, 2100, 3200, 4010, 5421, 6532, 7040, 8754, 9865));
}

TEST(Conv2d, KeepsGroupsApart) {
  const Tensor image = f32({1, 1, 1, 4}, {1, 2, 3, 4});
  const Tensor kernel = f32({1, 1, 2, 4}, {1, 10, 100, 1000, 2, 20, 200, 2000});
  EXPECT_THAT(evaluate_one(convolution({.groups = 2}), {image, kernel}), ElementsAre(5, 50, 1100, 11000));
}

TEST(Conv2d, IsExactOnIntegers) {
  const auto of = [](DType src, double a, double b) {
    return evaluate_one(convolution({}), {tensor(src, {1, 1, 1, 3}, {a, a, a}), tensor(DType::s8, {1, 1, 3, 1}, {b, b, b})})
        .at(0);
  };
  EXPECT_EQ(of(DType::u8, 255, -128), -97920);
  EXPECT_EQ(of(DType::s8, -128, -128), 49152);
  EXPECT_EQ(type_of(convolution({}), {{{1, 1, 1, 3}, DType::u8}, {{1, 1, 3, 2}, DType::s8}}),
            (TensorType{{1, 1, 1, 2}, DType::s32}));
}

TEST(Conv2d, HasTrueGradients) {
  expect_true_gradients(convolution({.padding = {.low = {1, 0}, .high = {0, 1}}}),
                        {spread({2, 4, 3, 2}), spread({3, 2, 2, 3}, 2)});
  expect_true_gradients(convolution({.stride = {2, 3}, .groups = 2}), {spread({1, 5, 7, 4}), spread({3, 2, 2, 6}, 2)});
}

TEST(Conv2d, ItsGradientsHaveTrueGradients) {
  const Conv2d conv{.stride = {2, 1}, .padding = {.low = {1, 1}, .high = {1, 0}}};
  const Build grad_src = [=](GraphBuilder& g, const std::vector<Value>& x) {
    return std::vector{g.add(Op::conv2d_grad_src, {x[0], x[1]}, Conv2dGrad{conv, {1, 4, 3, 2}})};
  };
  const Build grad_weights = [=](GraphBuilder& g, const std::vector<Value>& x) {
    return std::vector{g.add(Op::conv2d_grad_weights, {x[0], x[1]}, Conv2dGrad{conv, {3, 2, 2, 3}})};
  };
  expect_true_gradients(grad_src, {spread({1, 2, 3, 3}), spread({3, 2, 2, 3}, 2)});
  expect_true_gradients(grad_weights, {spread({1, 4, 3, 2}), spread({1, 2, 3, 3}, 2)});
}

TEST(Conv2d, WeightGradientsAreF32AndSourceGradientsKeepTheDtype) {
  const Shape src{1, 4, 4, 2}, weights{3, 3, 2, 5}, dst{1, 2, 2, 5};
  const Build grad_src = [=](GraphBuilder& g, const std::vector<Value>& x) {
    return std::vector{g.add(Op::conv2d_grad_src, {x[0], x[1]}, Conv2dGrad{{}, src})};
  };
  const Build grad_weights = [=](GraphBuilder& g, const std::vector<Value>& x) {
    return std::vector{g.add(Op::conv2d_grad_weights, {x[0], x[1]}, Conv2dGrad{{}, weights})};
  };
  EXPECT_EQ(type_of(grad_src, {{dst, DType::bf16}, {weights, DType::bf16}}), (TensorType{src, DType::bf16}));
  EXPECT_EQ(type_of(grad_weights, {{src, DType::bf16}, {dst, DType::bf16}}), (TensorType{weights, DType::f32}));
  EXPECT_THAT(error_of(grad_src, {{dst, DType::f32}, {weights, DType::bf16}}),
              HasSubstr("both must be of one float dtype, or s8"));
  EXPECT_THAT(error_of(grad_src, {{dst, DType::s32}, {weights, DType::s32}}),
              HasSubstr("both must be of one float dtype, or s8"));
  EXPECT_THAT(error_of(grad_weights, {{src, DType::f32}, {{1, 3, 3, 5}, DType::f32}}),
              HasSubstr("the convolution gives [1, 2, 2, 5]"));
}

TEST(Conv2d, GradientOfTheSourceIsExactOnIntegers) {
  const auto grad_src = [](Shape src) -> Build {
    return [=](GraphBuilder& g, const std::vector<Value>& x) {
      return std::vector{g.add(Op::conv2d_grad_src, {x[0], x[1]}, Conv2dGrad{{.stride = {2, 2}}, src})};
    };
  };
  EXPECT_EQ(type_of(grad_src({1, 3, 3, 2}), {{{1, 2, 2, 3}, DType::s8}, {{1, 1, 2, 3}, DType::s8}}),
            (TensorType{{1, 3, 3, 2}, DType::s32}));
  EXPECT_EQ(evaluate_one(grad_src({1, 2, 2, 1}),
                         {tensor(DType::s8, {1, 1, 1, 3}, {-128, 127, 5}), tensor(DType::s8, {1, 1, 1, 3}, {-128, -128, 3})}),
            (std::vector<double>{16384 - 16256 + 15, 0, 0, 0}));
  // A stride of 2 adds up a quarter of the taps, all channels of each.
  const auto error = [&](std::int64_t channels) {
    return error_of(grad_src({1, 2, 2, 1}), {{{1, 1, 1, channels}, DType::s8}, {{2, 2, 1, channels}, DType::s8}});
  };
  EXPECT_EQ(error(65793), "");
  EXPECT_THAT(error(65794), testing::AllOf(HasSubstr("65794 products"), HasSubstr("may overflow s32")));
}

TEST(Conv2d, SaysWhatDoesNotFit) {
  const auto error = [](Shape src, Shape weights, Conv2d conv = {}) {
    return error_of(convolution(conv), {{src, DType::f32}, {weights, DType::f32}});
  };
  EXPECT_THAT(error({1, 8, 8, 3}, {3, 3, 64, 8}), HasSubstr("[conv2d] src has 3 channels, weights expect 64"));
  EXPECT_THAT(error({1, 8, 8, 3}, {3, 3, 64, 8}), HasSubstr("here"));
  EXPECT_THAT(error({1, 8, 8}, {3, 3, 3, 8}), HasSubstr("[N, H, W, C] and [h, w, I, O]"));
  EXPECT_THAT(error({1, 2, 8, 3}, {3, 3, 3, 8}), HasSubstr("height 2, padded to 2, is less than the kernel's 3"));
  EXPECT_THAT(error({1, 8, 8, 4}, {3, 3, 2, 7}, {.groups = 2}), HasSubstr("2 groups of 4 src channels and 7 outputs"));
  EXPECT_THAT(error({1, 8, 8, 4}, {3, 3, 4, 7}, {.stride = {0, 1}}), HasSubstr("a stride is at least 1"));
  EXPECT_THAT(error_of(convolution({}), {{{1, 8, 8, 4}, DType::f32}, {{1, 1, 4, 4}, DType::s8}}),
              testing::AllOf(HasSubstr("src is f32[1, 8, 8, 4], weights are s8[1, 1, 4, 4]"), HasSubstr("cast one of them")));
  EXPECT_THAT(error_of(convolution({}), {{{1, 99, 99, 99}, DType::u8}, {{99, 99, 99, 1}, DType::s8}}),
              HasSubstr("may overflow s32"));
}

TEST(Dense, IsTheMatrixProduct) {
  EXPECT_THAT(evaluate_one(product, {f32({2, 2}, {1, 2, 3, 4}), f32({2, 3}, {1, 0, 2, 10, 1, 0})}),
              ElementsAre(21, 2, 2, 43, 4, 6));
  EXPECT_THAT(evaluate_one(product, {tensor(DType::s8, {1, 2}, {-128, 127}), tensor(DType::s8, {2, 1}, {-128, -128})}),
              ElementsAre(128));
  expect_true_gradients(product, {spread({3, 4}), spread({4, 5}, 2)});
}

TEST(Dense, SaysWhatDoesNotFit) {
  EXPECT_THAT(error_of(product, {{{2, 3}, DType::f32}, {{4, 5}, DType::f32}}),
              HasSubstr("[dense] src has 3 channels, weights expect 4"));
  EXPECT_THAT(error_of(product, {{{2, 3, 1, 1}, DType::f32}, {{3, 5}, DType::f32}}), HasSubstr("must be [N, I] and [I, O]"));
  EXPECT_THAT(error_of(product, {{{2, 3}, DType::bf16}, {{3, 5}, DType::f32}}),
              HasSubstr("src is bf16[2, 3], weights are f32[3, 5]"));
}

TEST(SamePadding, IsTensorFlows) {
  const auto padding = [](Shape src, Extent kernel, Extent stride) { return same_padding(src, kernel, stride); };
  EXPECT_EQ(padding({1, 224, 224, 3}, {3, 3}, {2, 2}), (Padding{{0, 0}, {1, 1}}));
  EXPECT_EQ(padding({1, 7, 7, 3}, {3, 3}, {2, 2}), (Padding{{1, 1}, {1, 1}}));
  EXPECT_EQ(padding({1, 8, 9, 3}, {1, 5}, {2, 1}), (Padding{{0, 2}, {0, 2}}));
}

Build pooling(Pool pool) {
  return [=](GraphBuilder&, const std::vector<Value>& x) { return std::vector{max_pool(x[0], pool)}; };
}

TEST(MaxPool, NeverTakesThePadding) {
  const Tensor x = f32({1, 2, 2, 1}, {-4, -3, -2, -1});
  EXPECT_THAT(evaluate_one(pooling({.window = {3, 3}, .stride = {2, 2}, .padding = {{0, 0}, {1, 1}}}), {x}), ElementsAre(-1));
  EXPECT_THAT(evaluate_one(pooling({.window = {2, 2}, .stride = {1, 1}, .padding = {{1, 1}, {0, 0}}}), {x}),
              ElementsAre(-4, -3, -2, -1));
}

TEST(MaxPool, GivesTheGradientToTheFirstMaximum) {
  const Tensor ties = f32({1, 2, 3, 1}, {5, 5, 1, 5, 5, 2});
  EXPECT_THAT(gradients(pooling({.window = {2, 2}, .stride = {1, 1}}), {ties}).at(0), ElementsAre(1, 1, 0, 0, 0, 0));
  expect_true_gradients(pooling({.window = {3, 2}, .stride = {2, 1}, .padding = {{1, 0}, {1, 1}}}), {spread({2, 5, 4, 2})});
}

TEST(MaxPool, SaysWhatDoesNotFit) {
  EXPECT_THAT(error_of(pooling({.padding = {{2, 0}, {0, 0}}}), {{{1, 4, 4, 1}, DType::f32}}),
              HasSubstr("paddings less than the window"));
  EXPECT_THAT(error_of(pooling({.window = {5, 2}}), {{{1, 4, 4, 1}, DType::f32}}),
              HasSubstr("height 4, padded to 4, is less than the window's 5"));
  EXPECT_THAT(error_of(pooling({}), {{{4, 4}, DType::f32}}), HasSubstr("[max_pool] x is [4, 4]"));
  EXPECT_THAT(error_of(pooling({}), {{{1, 4, 4, 1}, DType::u8}}), HasSubstr("takes floats"));
}

}  // namespace
