#include "passes/integer_backward.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "passes/differentiate.h"
#include "qfw/error.h"
#include "support.h"
#include "support/files.h"
#include "support/integer_backward.h"

namespace qfw::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float last_before_1 = 1 - 0x1p-24f;

struct Rounded {
  std::vector<float> codes, step;
};

/// Of images in rows, each element with the uniform number beside it.
Rounded rounded(const Shape& shape, const std::vector<float>& gradient, const std::vector<float>& uniform,
                const std::string& backend = "reference") {
  GraphBuilder g({.training = true});
  const Value x = g.input("gradient", {shape, DType::f32}), u = g.input("uniform", {shape, DType::f32});
  const RoundedGradient result = round_stochastically(x, u);
  g.fetch("codes", cast(result.codes, DType::f32));
  g.fetch("step", result.step);
  const auto found = Evaluator(backend).run(g, {}, {{"gradient", gradient}, {"uniform", uniform}});
  return {found.at("codes"), found.at("step")};
}

TEST(RoundStochastically, IsTheValueOnAverage) {
  constexpr int draws = 4096;
  const std::vector<float> values{1, -1, 0.3f, -0.0041f, 1e-3f, 0, 0.77f, -0.5f};
  const auto count = static_cast<std::int64_t>(values.size());
  std::vector<float> gradient, uniform;
  for (const float scale : {1.f, 3e-5f}) {
    for (int draw = 0; draw < draws; ++draw) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        gradient.push_back(scale * values[i]);
        uniform.push_back((static_cast<float>((draw + 511 * static_cast<int>(i)) % draws) + 0.5f) / draws);
      }
    }
  }
  const Rounded found = rounded({2, draws * count}, gradient, uniform);
  for (std::size_t image = 0; image < 2; ++image) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      double sum = 0;
      for (int draw = 0; draw < draws; ++draw)
        sum += found.codes[(image * draws + static_cast<std::size_t>(draw)) * values.size() + i];
      const double step = found.step[image], mean = sum / draws * step;
      EXPECT_NEAR(mean, gradient[image * draws * values.size() + i], step / draws) << "image " << image << " value " << i;
    }
  }
}

/// Whatever the largest gradient is, and at both ends of what the uniform number can be.
TEST(RoundStochastically, NeverLeavesTheCodes) {
  std::mt19937 random(1);
  const std::vector<float> all_uniform{0, last_before_1, 0.5f};
  for (int i = 0; i < 300; ++i) {
    const float largest =
        std::ldexp(1 + static_cast<float>(random() % 0x800000) * 0x1p-23f, static_cast<int>(random() % 200) - 99);
    for (const float uniform : all_uniform) {
      const Rounded found = rounded({1, 2}, {largest, -largest}, {uniform, uniform});
      EXPECT_EQ(found.codes[0], uniform == 0 ? 126 : 127) << largest;
      EXPECT_EQ(found.codes[1], uniform == last_before_1 ? -126 : -127) << largest;
      EXPECT_NEAR(found.step[0] * 127, largest, largest * 1e-6);
    }
  }
}

TEST(RoundStochastically, HasAScaleForEachImage) {
  const Rounded found = rounded({3, 2}, {4, 1, 0.004f, 0.001f, 0, 0}, std::vector<float>(6, 0.5f));
  EXPECT_EQ(found.codes, (std::vector<float>{127, 32, 127, 32, 0, 0}));
  EXPECT_FLOAT_EQ(found.step[0], 1000 * found.step[1]);
  EXPECT_GT(found.step[2], 0);  // 0 * 0, not 0 * infinity
  EXPECT_TRUE(std::isfinite(found.step[2]));
}

/// NaN and infinity make the image's step not finite, so that what is made of it is not either; other images stay.
TEST(RoundStochastically, KeepsWhatIsNotFinite) {
  for (const std::string backend : {"reference", "cpu"}) {
    for (const float bad : {infinity, -infinity, std::nanf("")}) {
      const Rounded found = rounded({2, 3}, {1, bad, 2, 1, 2, 3}, std::vector<float>(6, 0.5f), backend);
      EXPECT_FALSE(std::isfinite(0 * found.step[0])) << bad << " on " << backend;
      EXPECT_THAT(std::vector(found.codes.begin(), found.codes.begin() + 3), Each(0));
      EXPECT_TRUE(std::isfinite(found.step[1]));
      EXPECT_EQ(found.codes[5], 127);
    }
  }
}

struct Product {
  Shape src, weights, dst;
  Conv2d conv;
};
const std::vector<Product> products{
    {{3, 5, 4, 6}, {3, 3, 6, 8}, {3, 5, 4, 8}, {.padding = {{1, 1}, {1, 1}}}},
    {{3, 6, 5, 6}, {3, 3, 6, 8}, {3, 3, 3, 8}, {.stride = {2, 2}, .padding = {{0, 1}, {1, 1}}}},
    {{2, 7, 7, 4}, {1, 1, 4, 5}, {2, 4, 4, 5}, {.stride = {2, 2}}},
    {{2, 4, 4, 8}, {3, 3, 2, 12}, {2, 4, 4, 12}, {.padding = {{1, 1}, {1, 1}}, .groups = 4}},
    {{4, 9}, {9, 7}, {4, 7}, {}},
};

/// The gradient of src in integers or in floats, from a gradient of the product that is fed.
class Differentiated {
 public:
  Differentiated(const Product& p, bool integers, const std::string& backend = "reference", const Settings& settings = {})
      : backend_(make<Backend>(backend, settings)), single_(make<Communicator>("single")) {
    GraphBuilder g({.training = true});
    const auto scope = g.scope("layer");
    const Value src = g.parameter("src", p.src, Init::constant(0.5));
    const Value codes = g.input("codes", {p.weights, DType::s8});
    const Value upstream = g.input("gradient", {p.dst, DType::f32});
    const Value floats = cast(codes, DType::f32);
    const Value product = integers            ? test::product_with_integer_backward(g, src, codes, p.conv)
                          : p.src.rank() == 2 ? dense(src, floats)
                                              : conv2d(src, floats, p.conv);
    g.fetch("src", differentiate(g, sum(product * upstream), std::vector{src})[0]);
    graph_ = finish(g.graph());
    executable_ = backend_->compile(graph_, *single_);
    const std::vector<float> half(static_cast<std::size_t>(p.src.count()), 0.5f);
    backend_->write("layer/src", {{p.src, DType::f32}, std::as_bytes(std::span(half))});

    std::mt19937 random(2);
    for (std::int64_t i = 0; i < p.weights.count(); ++i) codes_.push_back(static_cast<std::int8_t>(random() % 256 - 128));
    for (std::int64_t i = 0; i < p.dst.count(); ++i) {
      upstream_.push_back((static_cast<float>(random() % 2001) - 1000) * 1e-6f * static_cast<float>(1 + i * 9 / p.dst.count()));
    }
  }

  std::vector<float> at(Executable::Step step) {
    const std::vector<HostView> feeds{{graph_.inputs[0].type, std::as_bytes(std::span(codes_))},
                                      {graph_.inputs[1].type, std::as_bytes(std::span(upstream_))}};
    const auto bytes = test::execute(*executable_, graph_, feeds, step).at(0);
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  std::int64_t count(Op op, DType dtype) const {
    return std::ranges::count_if(graph_.nodes,
                                 [&](const Node& node) { return node.op == op && node.outputs[0].dtype == dtype; });
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Communicator> single_;
  Graph graph_;
  std::unique_ptr<Executable> executable_;
  std::vector<std::int8_t> codes_;
  std::vector<float> upstream_;
};

double distance(const std::vector<float>& a, const std::vector<double>& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

/// Over many steps the gradient's mean nears that of floats as the root of their number.
TEST(IntegerBackward, IsTheGradientOnAverage) {
  for (const Product& p : products) {
    SCOPED_TRACE(p.src.str() + " by " + p.weights.str());
    Differentiated integers(p, true, "cpu", {{"threads", std::int64_t{1}}}), floats(p, false);
    const std::vector<float> exact = floats.at({});
    constexpr int steps = 400;
    std::vector<double> mean(exact.size());
    double off = 0;
    for (int step = 0; step < steps; ++step) {
      const std::vector<float> one = integers.at({.index = step, .seed = 5});
      off += distance(one, {exact.begin(), exact.end()}) / steps;
      for (std::size_t i = 0; i < one.size(); ++i) mean[i] += static_cast<double>(one[i]) / steps;
    }
    EXPECT_GT(off, 0);
    EXPECT_LT(off, 0.02 * distance(exact, std::vector<double>(exact.size())));
    EXPECT_LT(distance(exact, mean), 1.5 * off / std::sqrt(steps));
  }
}

TEST(IntegerBackward, HasEqualBitsOnAllBackendsAndThreads) {
  for (const Product& p : products) {
    SCOPED_TRACE(p.src.str() + " by " + p.weights.str());
    Differentiated reference(p, true);
    for (const std::int64_t threads : {1, 2, 3}) {
      Differentiated cpu(p, true, "cpu", {{"threads", threads}});
      for (const Executable::Step step : {Executable::Step{0, 0}, Executable::Step{7, 3}})
        EXPECT_EQ(cpu.at(step), reference.at(step));
    }
  }
}

TEST(IntegerBackward, DependsOnStepAndSeedAlone) {
  Differentiated once(products[0], true), again(products[0], true);
  EXPECT_EQ(once.at({3, 1}), again.at({3, 1}));
  const auto first = once.at({0, 1});
  EXPECT_NE(first, once.at({1, 1}));
  EXPECT_NE(first, once.at({0, 2}));
  EXPECT_EQ(first, once.at({0, 1}));
}

TEST(IntegerBackward, LeavesNoFloatGradientOfTheSource) {
  for (const Product& p : products) {
    const bool is_dense = p.src.rank() == 2;
    const Differentiated integers(p, true), floats(p, false);
    EXPECT_EQ(integers.count(is_dense ? Op::dense : Op::conv2d_grad_src, DType::s32), 1);
    EXPECT_EQ(integers.count(Op::conv2d_grad_src, DType::f32), 0);
    EXPECT_EQ(floats.count(Op::conv2d_grad_src, DType::f32), is_dense ? 0 : 1);
  }
}

/// Codes are x * scale, rounded.
struct Fixed final : Quantizer {
  Operand quantize(GraphBuilder&, const MatmulSite& site, Role role, Value x, Phase) const override {
    if (site.path == "float") return x;
    if (role == Role::src) return {clip(floor_ste(x * 8), -127, 127), 8, {-127, 127}};
    return {clip(round_even_ste(x * 16), -7, 7), 16, {-7, 7}};
  }
};

Model three_layers() {
  return Model([](GraphBuilder& g, Value x, std::int64_t classes) {
    x = layers::conv(g, "first", x, {.features = 4, .kernel = {3, 3}});
    x = layers::conv(g, "float", relu(x), {.features = 4, .kernel = {3, 3}});
    x = layers::conv(g, "middle", relu(x), {.features = 4, .kernel = {3, 3}});
    return layers::linear(g, "dense", flat(relu(x)), {.features = classes});
  });
}

/// The record of each layer names its integer product: that of the first needs none, as images have no gradient.
TEST(IntegerBackward, IsWhatTheQuantizePassMakesOfIntegerLayers) {
  const Model model = three_layers();
  const Fixed quantizer;
  const auto sgd = make<Optimizer>("sgd");
  for (const bool backward : {true, false}) {
    for (const DType compute : {DType::f32, DType::bf16}) {
      StepDescription step = description(model, quantizer);
      step.quantization.integer = true;
      step.quantization.integer_backward = backward;
      step.quantization.compute = compute;
      const Graph graph = training_graph(step, *sgd, 0);
      ASSERT_EQ(graph.sites.size(), 4u);
      for (const QuantizedSite& site : graph.sites) {
        SCOPED_TRACE(site.path);
        EXPECT_EQ(site.integer, site.path != "float");
        ASSERT_EQ(site.backward.node >= 0, backward && (site.path == "middle" || site.path == "dense"));
        if (site.backward.node < 0) continue;
        const Node& product = graph.nodes[static_cast<std::size_t>(site.backward.node)];
        EXPECT_EQ(product.path, site.path);
        EXPECT_EQ(product.op, site.path == "dense" ? Op::dense : Op::conv2d_grad_src);
        EXPECT_EQ(graph.type(site.backward).dtype, DType::s32);
        EXPECT_EQ(graph.type(product.inputs[0]).dtype, DType::s8);
      }
      const auto randoms = std::ranges::count(graph.nodes, Op::random_uniform, &Node::op);
      EXPECT_EQ(randoms, backward ? 4 : 0);
      for (const std::string backend : {"reference", "cpu"}) {
        Evaluator evaluator(backend);
        std::vector<float> uneven(192);  // with equal weights of all classes nothing comes through
        for (std::size_t i = 0; i < uneven.size(); ++i) uneven[i] = static_cast<float>(i % 3) / 4 - 0.25f;
        evaluator.run(graph, {{"dense/kernel", uneven}}, batch(0.5f));
        EXPECT_THAT(evaluator.read("first/kernel"), ::testing::Not(Each(0.125f)));
      }
      EXPECT_NO_THROW(evaluation_graph(step));
    }
  }
}

TEST(IntegerBackward, RefusesSumsThatCouldOverflow) {
  const auto differentiated = [](std::int64_t outputs) {
    GraphBuilder g({.training = true});
    const auto scope = g.scope("wide");
    const Value src = g.parameter("src", {1, 1}, Init::zeros()), codes = g.input("codes", {{1, outputs}, DType::s8});
    differentiate(g, sum(test::product_with_integer_backward(g, src, codes, {})), std::vector{src});
  };
  EXPECT_NO_THROW(differentiated(65793));
  EXPECT_THAT(test::message_of(Error::Category::graph, [&] { differentiated(65794); }),
              AllOf(HasSubstr("wide"), HasSubstr("65794")));
  EXPECT_THAT(test::message_of(Error::Category::graph, [&] { differentiated(140000); }),
              AllOf(HasSubstr("layer wide"), HasSubstr("beyond 32 bits"), HasSubstr("quantizer.backward = float")));
}

TEST(IntegerBackward, BoundsItsSumsByTheTapsOfAStride) {
  QuantizedSite site;
  site.op = Op::conv2d;
  site.weights.grid = Grid{-1.5f, 1.5f};
  site.weights_type = {{3, 3, 4, 6}, DType::f32};
  EXPECT_EQ(largest_backward_sum(site), 9 * 6 * 127 * 3);
  site.conv = {.stride = {2, 2}, .groups = 2};
  EXPECT_EQ(largest_backward_sum(site), 4 * 3 * 127 * 3);
  site.op = Op::dense;
  site.weights_type = {{4, 6}, DType::f32};
  EXPECT_EQ(largest_backward_sum(site), 6 * 127 * 3);
}

}  // namespace
}  // namespace qfw::testing
