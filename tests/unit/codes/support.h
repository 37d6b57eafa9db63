#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "passes/freeze.h"
#include "passes/step.h"
#include "qfw/frozen_model.h"
#include "qfw/layers.h"
#include "qfw/random.h"
#include "support/evaluate.h"

namespace qfw::testing {

/// A model that a test writes down.
struct Body final : Layer {
  using Build = std::function<Value(GraphBuilder&, Value, std::int64_t)>;
  explicit Body(Build build) : body(std::move(build)) {}
  Build body;
  Value build(GraphBuilder& g, Value x, std::int64_t classes) const override { return body(g, x, classes); }
};

/// Values that depend on names and `seed` alone: factors of batch normalisations of either sign, one of them 0.
inline Evaluator::Values variables_of(const Graph& graph, std::uint64_t seed) {
  Evaluator::Values values;
  for (const Variable& variable : graph.variables) {
    RandomStream random(seed, hash_of(variable.name));
    auto& all = values[variable.name];
    all.resize(static_cast<std::size_t>(variable.type.shape.count()));
    const bool positive = variable.name.ends_with("/variance") || variable.name.ends_with("/bounds");
    for (float& value : all) value = static_cast<float>(positive ? 0.5 + random.uniform() : 2 * random.uniform() - 1);
    if (variable.name.ends_with("/gamma")) all.back() = 0;
  }
  return values;
}

struct Setting {
  std::string quantizer = "weights_and_auto_acts";
  Settings options{};
  bool integer = true;
  DType compute = DType::f32;
  Shape images{4, 9, 7, 1};
  std::int64_t classes = 5;
  const Quantizer* own = nullptr;  ///< in the place of a plugin's
};

/// A model frozen with random variables.
inline FrozenModel freeze(const Layer& model, const Setting& setting, std::uint64_t seed = 1) {
  const auto plugin = make<Quantizer>(setting.quantizer, setting.options);
  const Quantizer* quantizer = setting.own == nullptr ? plugin.get() : setting.own;
  StepDescription step;
  step.model = &model;
  step.images = setting.images;
  step.classes = setting.classes;
  step.quantizer_of = [&](std::string_view) {
    return SiteQuantizer{quantizer, quantizer->phase({.step = 10000, .total_steps = 20000, .training = false})};
  };
  step.quantization.quantizer = setting.quantizer;
  step.quantization.integer = setting.integer;
  step.quantization.compute = setting.compute;
  const auto all = [](const Node&) { return true; };
  const Graph whole = expand_composites(evaluation_graph(step), all);
  const Freeze parts(whole);
  Evaluator evaluator;
  FrozenModel frozen;
  frozen.graph = expand_composites(parts.frozen(evaluator.fetch(parts.prepare(), variables_of(whole, seed))), all);
  frozen.preparation.emplace();
  frozen.preparation->height = static_cast<int>(setting.images[1]);
  frozen.preparation->width = static_cast<int>(setting.images[2]);
  frozen.preparation->channels = static_cast<int>(setting.images[3]);
  frozen.preparation->mean = {0.4};
  frozen.preparation->stddev = {0.3};
  frozen.provenance = {.qfw = "0", .recipe = "none", .checkpoint = "0123456789abcdef", .step = 3, .phase = "weights"};
  verify(frozen);
  return frozen;
}

inline Settings bits(std::int64_t weights, std::int64_t activations, bool half_shift = false) {
  return {
      {"weight_prec", weights}, {"act_prec", activations}, {"weight_half_shift", half_shift}, {"act_half_shift", half_shift}};
}

}  // namespace qfw::testing
