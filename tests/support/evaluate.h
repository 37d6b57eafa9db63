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
#include "support/execute.h"

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

/// One replica's variables, and the graphs that run on them. Variables and inputs are f32.
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

  /// A recorded graph, finished first.
  Values run(const GraphBuilder& g, const Values& variables = {}, const Values& feeds = {}) {
    return run(finish(g.graph(), replicas_.size()), variables, feeds);
  }

  /// A finished graph of f32 fetches; those of one name follow each other. What `variables` names is written first; what was
  /// never written starts as its constant initial value, or as 1/8 where that is random.
  Values run(const Graph& graph, const Values& variables = {}, const Values& feeds = {}) {
    const auto fetched = fetch(graph, variables, feeds);
    Values results;
    for (std::size_t i = 0; i < fetched.size(); ++i) {
      const auto values = HostView(graph.type(graph.fetches[i].use), *fetched[i]).as<float>();
      auto& all = results[graph.fetches[i].name];
      all.insert(all.end(), values.begin(), values.end());
    }
    return results;
  }

  /// The same of any types: the bytes of each fetch.
  std::vector<std::shared_ptr<const std::vector<std::byte>>> fetch(const Graph& graph, const Values& variables = {},
                                                                   const Values& feeds = {}) {
    const Graph taken = expanded(graph);
    const auto executable = backend_->compile(taken, replicas_);
    for (const Variable& variable : taken.variables) {
      const bool is_new = types_.emplace(variable.name, variable.type).second;
      if (const auto given = variables.find(variable.name); given != variables.end()) {
        write(variable.name, given->second);
      } else if (is_new) {
        const double first = variable.init.kind == Init::Kind::constant ? variable.init.value : 0.125;
        write(variable.name,
              std::vector<float>(static_cast<std::size_t>(variable.type.shape.count()), static_cast<float>(first)));
      }
    }
    std::vector<HostView> fed;
    for (const Input& input : taken.inputs) fed.emplace_back(input.type, std::as_bytes(std::span(feeds.at(input.name))));
    std::vector<std::shared_ptr<const std::vector<std::byte>>> results;
    for (auto& bytes : test::execute(*executable, taken, fed))
      results.push_back(std::make_shared<const std::vector<std::byte>>(std::move(bytes)));
    return results;
  }

  /// As this backend takes it.
  Graph expanded(const Graph& graph) const {
    return expand_composites(
        graph, [&](const Node& node) { return !backend_->supports(graph, node).yes; }, replicas_.size());
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
