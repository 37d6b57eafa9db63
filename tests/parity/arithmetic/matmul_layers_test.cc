#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "aqt.h"
#include "codes.h"
#include "parity/backends.h"
#include "parity/tolerances.h"
#include "passes/differentiate.h"
#include "passes/quantize.h"
#include "support/evaluate.h"
#include "support/golden.h"

/// Whole layers through the core's quantize pass, against the reference's ConvAqt and DenseAqt.
namespace qfw::aqt {
namespace {

using testing::Evaluator;

std::optional<int> bits(const golden::Group& group, const char* name) {
  if (group.is_none(name)) return std::nullopt;
  return static_cast<int>(group.is_text(name) ? std::stoi(group.text(name)) : group.number(name));
}

class Layer {
 public:
  explicit Layer(const golden::Group& group)
      : group_(group),
        is_dense_(group.text("layer") == "dense"),
        training_(group.has("bounds_after")),
        x_(group.floats("x")),
        kernel_(group.floats("kernel")) {
    options_.weight_prec = bits(group, "weight_prec");
    options_.act_prec = bits(group, "act_prec");
    options_.weight_half_shift = group.flag("weight_half_shift");
    options_.act_half_shift = group.flag("act_half_shift");
    options_.weight_quant_granularity = group.text("weight_granularity");
    options_.granularity = group.text("act_granularity");
    options_.quant_type = group.text("quant_type");
    options_.bounds = group.text("acts");
    if (options_.bounds == "fixed") options_.bounds = fmt::format("{}", group.floats("bounds").values[0]);
  }

  bool is_aqt() const { return options_.type() == QuantType::aqt; }
  /// Where the two arithmetics are one up to rounding: integer arithmetic moves scales per channel into fake_quant's weights.
  bool integer_agrees() const {
    return is_aqt() || (options_.weight_prec && (options_.number_bound() || options_.granularity == "per_tensor"));
  }
  /// The reference multiplies codes that a cast to int8 has truncated.
  bool truncates(const QuantizedSite& site) const {
    if (!is_aqt() || !site.src.grid || !site.weights.grid) return false;
    return (options_.act_half_shift && site.src_signed) || options_.weight_half_shift;
  }

  void check(bool integer, const std::string& backend) const {
    GraphBuilder model({.training = training_});
    const Value output = record(model);
    GraphBuilder g({.training = training_});
    const Aqt quantizer(options_);
    const Value y = quantize(model.graph(), g, {output.node(), output.output()},
                             [&](std::string_view) {
                               return SiteQuantizer{&quantizer, phase()};
                             },
                             {.integer = integer});
    const QuantizedSite site = g.graph().sites.at(0);
    Value loss_value = sum(y * g.input("cotangent", {y.shape(), DType::f32}));
    std::vector<Value> parameters{g.parameter("x", x_.shape, Init::zeros()),
                                  g.parameter("layer/kernel", kernel_.shape, Init::zeros())};
    if (group_.has("bias")) parameters.push_back(g.parameter("bias", group_.floats("bias").shape, Init::zeros()));
    const auto gradients = differentiate(g, loss_value, parameters);
    g.fetch("grad_x", gradients[0]);
    g.fetch("grad_kernel", gradients[1]);
    if (gradients.size() > 2) g.fetch("grad_bias", gradients[2]);
    g.fetch("y", truncates(site) ? truncating_product(g, site) : y);
    const bool integer_site = site.integer;

    Evaluator evaluator(backend);
    Evaluator::Values variables{{"x", x_.values}, {"layer/kernel", kernel_.values}};
    if (group_.has("bias")) variables["bias"] = group_.floats("bias").values;
    if (options_.auto_bounds()) variables["layer/src/bounds"] = group_.floats("bounds").values;
    const auto found = evaluator.run(g, variables, {{"cotangent", group_.floats("cotangent").values}});
    const std::string how = integer ? ", integer" : "";
    for (const auto& [name, values] : found) compare(values, name, how);
    if (training_) check_state(evaluator);
    if (integer && site.src.grid && site.weights.grid) {
      EXPECT_TRUE(integer_site) << group_.name() << ": " << site.reason;
    }
  }

 private:
  Value record(GraphBuilder& g) const {
    const Value x = g.parameter("x", x_.shape, Init::zeros());
    const bool is_signed = group_.text("input_distribution") == "symmetric";
    Value y = [&] {
      const auto scope = g.scope("layer");
      const Value kernel = g.parameter("kernel", kernel_.shape, Init::zeros());
      return is_dense_ ? dense(x, kernel, {.src_signed = is_signed}) : conv2d(x, kernel, conv(is_signed));
    }();
    return group_.has("bias") ? y + g.parameter("bias", group_.floats("bias").shape, Init::zeros()) : y;
  }

  Conv2d conv(bool is_signed) const {
    const auto strides = group_.numbers("strides"), low = group_.numbers("padding_lo"), high = group_.numbers("padding_hi");
    const Extent stride{strides[0], strides[1]};
    const bool same = group_.text("padding") == "SAME";
    return {.stride = stride,
            .padding = same ? same_padding(x_.shape, {kernel_.shape[0], kernel_.shape[1]}, stride)
                            : Padding{{low[0], low[1]}, {high[0], high[1]}},
            .src_signed = is_signed};
  }

  Phase phase() const {
    if (training_) return Aqt::conv_weights | Aqt::activations | Aqt::collecting | Aqt::updating_bounds;
    Phase phase = Aqt::conv_weights;
    if (options_.number_bound()) phase |= Aqt::activations;
    if (options_.auto_bounds()) {
      for (const float bound : group_.floats("bounds").values) {
        if (bound != -1) phase |= Aqt::activations;
      }
    }
    return phase;
  }

  Value truncating_product(GraphBuilder& g, const QuantizedSite& site) const {
    const auto value = [&](Use use) { return Value(g, use.node, use.output); };
    const Value a = truncate(value(site.src.codes)), b = truncate(value(site.weights.codes));
    const Value product =
        (is_dense_ ? dense(a, b) : conv2d(a, b, site.conv)) / (value(site.weights.scale) * value(site.src.scale));
    return group_.has("bias") ? product + g.parameter("bias", group_.floats("bias").shape, Init::zeros()) : product;
  }

  void compare(const std::vector<float>& found, const std::string& name, const std::string& how) const {
    if (!group_.has(name)) return;
    const auto expected = group_.floats(name).values;
    ASSERT_EQ(found.size(), expected.size());
    float largest = 0;
    for (const float value : expected) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_NEAR(found[i], expected[i], parity::layer * largest)
          << group_.name() << " " << group_.text("label") << " " << group_.text("quant") << how << ", " << name << "[" << i
          << "]";
    }
  }

  void check_state(const Evaluator& evaluator) const {
    for (const char* name : {"bounds", "n", "mean", "mean_abs", "mean_sq"}) {
      const std::string after = std::string(name) + "_after";
      ASSERT_TRUE(group_.has(after)) << group_.name() << " " << after;
      compare(evaluator.read("layer/src/" + std::string(name)), after, "");
    }
  }

  const golden::Group& group_;
  bool is_dense_, training_;
  golden::Array x_, kernel_;
  Options options_;
};

class MatmulLayers : public parity::OnEachBackend {
 protected:
  void check(bool integer) {
    int compared = 0;
    for (const golden::Group& group : golden::Group::open("matmul_layers.h5").cases()) {
      const Layer layer(group);
      if (integer && !layer.integer_agrees()) continue;
      layer.check(integer, GetParam());
      ++compared;
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(compared, 0);
  }
};
QFW_ON_EACH_BACKEND(MatmulLayers);

TEST_P(MatmulLayers, agree_with_the_reference) { check(false); }
TEST_P(MatmulLayers, agree_with_the_reference_as_integers) { check(true); }

}  // namespace
}  // namespace qfw::aqt
