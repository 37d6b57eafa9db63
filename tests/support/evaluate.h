#pragma once

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "passes/finish.h"
#include "plugin/catalog.h"
#include "qfw/backend.h"
#include "qfw/builder.h"

/// Recorded graphs run through a backend, `reference` unless another is named; all plugins through the real loader.
namespace qfw::testing {

inline const Catalog& catalog() {
  static const std::array folders{std::filesystem::path(QFW_BINARY_DIR) / "bin"};
  static const Catalog catalog(folders);
  return catalog;
}

template <class Interface>
std::unique_ptr<Interface> make(std::string_view name, const Settings& settings = {}) {
  return catalog().get<Interface>(name).make(settings);
}

/// One replica's variables, and the steps that run on them. Everything is f32.
class Evaluator {
 public:
  using Values = std::map<std::string, std::vector<float>>;

  /// `replicas` outlives this.
  explicit Evaluator(std::string_view backend = "reference", Communicator* replicas = nullptr)
      : backend_(make<Backend>(backend)),
        single_(make<Communicator>("single")),
        replicas_(replicas == nullptr ? *single_ : *replicas) {}

  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  /// What `variables` names is written first; state that was never written starts as its constant initial value.
  Values run(const GraphBuilder& g, const Values& variables = {}, const Values& feeds = {}) {
    Graph graph = finish(g.graph(), replicas_.size());
    const auto declined = [&](const Node& node) { return !backend_->supports(graph, node).yes; };
    if (std::any_of(graph.nodes.begin(), graph.nodes.end(), declined))
      graph = expand_composites(Graph(graph), declined, replicas_.size());
    const auto executable = backend_->compile(graph, replicas_);
    for (const Variable& variable : graph.variables) {
      const auto given = variables.find(variable.name);
      const std::vector<float> first(static_cast<std::size_t>(variable.type.shape.count()),
                                     static_cast<float>(variable.init.value));
      if (types_.emplace(variable.name, variable.type).second || given != variables.end()) {
        write(variable.name, given == variables.end() ? first : given->second);
      }
    }
    std::vector<HostView> fed;
    for (const Input& input : graph.inputs) fed.emplace_back(input.type, std::as_bytes(std::span(feeds.at(input.name))));
    Values results;
    std::vector<HostTensor> fetched;
    for (const Fetch& fetch : graph.fetches) {
      const TensorType& type = graph.type(fetch.use);
      auto& result = results[fetch.name];
      result.resize(static_cast<std::size_t>(type.shape.count()));
      fetched.push_back({type, std::as_writable_bytes(std::span(result))});
    }
    executable->run({}, fed, fetched);
    return results;
  }

  std::vector<float> read(const std::string& name) const {
    const TensorType& type = types_.at(name);
    std::vector<float> values(static_cast<std::size_t>(type.shape.count()));
    backend_->read(name, {type, std::as_writable_bytes(std::span(values))});
    return values;
  }
  void write(const std::string& name, const std::vector<float>& values) {
    backend_->write(name, {types_.at(name), std::as_bytes(std::span(values))});
  }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Communicator> single_;
  Communicator& replicas_;
  std::map<std::string, TensorType> types_;
};

}  // namespace qfw::testing
