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

/// A finished graph, run on a backend's variables, which are written first where they are new.
class Runner {
 public:
  using Values = std::map<std::string, std::vector<float>>;

  explicit Runner(const std::string& backend) : backend_(make<Backend>(backend)), single_(make<Communicator>("single")) {}

  Values run(Graph graph, const Values& feeds, const Values& first = {}) {
    graph = expand_composites(graph, [&](const Node& node) { return !backend_->supports(graph, node).yes; });
    const auto executable = backend_->compile(graph, *single_);
    for (const Variable& variable : graph.variables) {
      if (!types_.emplace(variable.name, variable.type).second) continue;
      const auto given = first.find(variable.name);
      std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()), 0.125f);
      if (given != first.end()) values = given->second;
      backend_->write(variable.name, {variable.type, std::as_bytes(std::span(values))});
    }
    std::vector<HostView> fed;
    for (const Input& input : graph.inputs) fed.emplace_back(input.type, std::as_bytes(std::span(feeds.at(input.name))));
    Values results;
    std::vector<std::vector<float>> buffers;
    std::vector<HostTensor> fetched;
    for (const Fetch& fetch : graph.fetches)
      buffers.emplace_back(static_cast<std::size_t>(graph.type(fetch.use).shape.count()));
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      fetched.push_back({graph.type(graph.fetches[i].use), std::as_writable_bytes(std::span(buffers[i]))});
    }
    executable->run({}, fed, fetched);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      auto& all = results[graph.fetches[i].name];
      all.insert(all.end(), buffers[i].begin(), buffers[i].end());
    }
    return results;
  }

  std::vector<float> read(const std::string& name) const {
    const TensorType& type = types_.at(name);
    std::vector<float> values(static_cast<std::size_t>(type.shape.count()));
    backend_->read(name, {type, std::as_writable_bytes(std::span(values))});
    return values;
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Communicator> single_;
  std::map<std::string, TensorType> types_;
};

/// What a training step of `description` is fed.
inline Runner::Values batch(float rate) {
  std::vector<float> images(32), targets{0, 1, 0, 1, 0, 0};
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 7) / 4 - 0.5f;
  return {{"images", images}, {"targets", targets}, {"rate", {rate}}};
}

}  // namespace qfw::testing
