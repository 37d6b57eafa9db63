#pragma once

#include <functional>

#include "passes/step.h"
#include "qfw/layers.h"
#include "support/evaluate.h"

namespace qfw::testing {

/// The plugins of tests/end_to_end/plugins/misfits.cc.
inline std::unique_ptr<Quantizer> misfit(const std::string& name, const Settings& settings = {}) {
  static const std::array folders{std::filesystem::path(QFW_BINARY_DIR) / "tests/plugins/misfits"};
  static const Catalog catalog(folders);
  return catalog.get<Quantizer>(name).make(settings);
}

struct Floats final : Quantizer {
  Operand quantize(GraphBuilder&, const MatmulSite&, Role, Value operand, Phase) const override { return operand; }
};

/// A model that a test writes down.
struct Model final : Layer {
  using Body = std::function<Value(GraphBuilder&, Value, std::int64_t)>;
  explicit Model(Body body) : body(std::move(body)) {}
  Body body;
  Value build(GraphBuilder& g, Value x, std::int64_t classes) const override { return body(g, x, classes); }
};

/// Two images of 4 x 4, three classes.
inline StepDescription description(const Layer& model, const Quantizer& quantizer, Phase phase = 0) {
  StepDescription description;
  description.model = &model;
  description.images = {2, 4, 4, 1};
  description.classes = 3;
  description.quantizer_of = [&quantizer, phase](std::string_view) { return SiteQuantizer{&quantizer, phase}; };
  description.quantization.quantizer = "tested";
  return description;
}

inline Value flat(Value x) { return reshape(x, {x.shape()[0], x.shape().count() / x.shape()[0]}); }

/// What a training step of `description` is fed.
inline Evaluator::Values batch(float rate) {
  std::vector<float> images(32), targets{0, 1, 0, 1, 0, 0};
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 7) / 4 - 0.5f;
  return {{"images", images}, {"targets", targets}, {"rate", {rate}}};
}

}  // namespace qfw::testing
