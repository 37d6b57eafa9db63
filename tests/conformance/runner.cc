#include "conformance/runner.h"

#include <cstdlib>
#include <filesystem>

#include "passes/differentiate.h"
#include "passes/finish.h"
#include "plugin/catalog.h"
#include "qfw/error.h"
#include "support/replicas.h"

namespace qfw::conformance {

namespace {

const Catalog& catalog() {
  static const auto* catalog = [] {
    std::vector<std::filesystem::path> built;
    std::error_code unknown;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", unknown);
    // Carried elsewhere (scripts/bundle.sh), its plugins lie beside it.
    if (unknown || program.parent_path() == QFW_BINARY_DIR "/tests/bin") built.emplace_back(QFW_BINARY_DIR "/bin");
    return new Catalog(plugin_folders(built));  // its libraries stay open for good, so it may as well
  }();
  return *catalog;
}

}  // namespace

std::string missing(const std::string& backend) {
  try {
    catalog().find(Backend::kind, backend);
    return {};
  } catch (const Error& error) {
    if (error.category() != Error::Category::usage) throw;  // a plugin that is there but cannot be used is a failure
    return error.what();
  }
}

std::unique_ptr<Backend> make_backend(const std::string& name) { return catalog().get<Backend>(name).make({}); }

Prepared prepare(const Case& one) {
  GraphBuilder g({.training = true});
  Prepared prepared;
  std::vector<Value> operands, parameters;
  for (std::size_t i = 0; i < one.operands.size(); ++i) {
    const Operand& operand = one.operands[i];
    const std::string name = "operand" + std::to_string(i), seed = one.name + "/" + name;
    if (operand.fed || !is_float(operand.type.dtype)) {
      operands.push_back(g.input(name, operand.type));
      prepared.feeds.push_back(data_for(operand.type, operand.fill, seed));
    } else {
      const Value parameter = g.parameter(name, operand.type.shape, Init::zeros());
      parameters.push_back(parameter);
      operands.push_back(cast(parameter, operand.type.dtype));
      prepared.variables.push_back(data_for({operand.type.shape, DType::f32}, operand.fill, seed));
    }
  }
  const std::vector<Value> results = one.build(g, operands);
  Value loss = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const TensorType type = results[i].type();
    g.fetch("result " + std::to_string(i), results[i]);
    prepared.tolerances.push_back(one.forward);
    if (!one.gradients || !is_float(type.dtype)) continue;
    const std::string name = "cotangent" + std::to_string(i);
    const TensorType cotangent{type.shape, DType::f32};
    loss = loss + sum(results[i] * g.input(name, cotangent));
    prepared.feeds.push_back(data_for(cotangent, Fill::normal, one.name + "/" + name));
  }
  if (one.gradients) {
    for (const Variable& variable : Graph(g.graph()).variables) {  // those that the case declared itself, too
      if (variable.kind != Variable::Kind::parameter) continue;
      if (!variable.name.starts_with("operand"))
        parameters.push_back(g.parameter(variable.name, variable.type.shape, variable.init));
    }
    const std::vector<Value> gradients = differentiate(g, loss, parameters);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      g.fetch("gradient of " + g.graph().variables[g.graph().nodes[parameters[i].node()].as<Slot>().index].name, gradients[i]);
      prepared.tolerances.push_back(one.backward);
    }
  }
  prepared.graph = finish(g.graph(), one.replicas);
  for (std::size_t i = prepared.variables.size(); i < prepared.graph.variables.size(); ++i) {
    const Variable& variable = prepared.graph.variables[i];
    const bool random = variable.init.kind == Init::Kind::lecun_normal;
    Tensor value = data_for(variable.type, random ? Fill::small : Fill::positive, one.name + "/" + variable.name);
    prepared.variables.push_back(std::move(value));
  }
  return prepared;
}

Subject::Subject(const std::string& backend, const Graph& graph, int replicas)
    : backend_(make_backend(backend)), replicas_(std::make_unique<test::EqualReplicas>(replicas)) {
  const auto declined = [&](const Node& node) { return !backend_->supports(graph, node).yes; };
  const Graph expanded = expand_composites(graph, declined, replicas);
  for (const Node& node : expanded.nodes) {
    const Backend::Support support = backend_->supports(expanded, node);
    if (!support.yes) {
      unsupported_ = std::string(name_of(node.op)) + ": " + support.reason;
      return;
    }
  }
  executable_ = backend_->compile(expanded, *replicas_);
}

Subject::~Subject() = default;

Subject::Results Subject::run(const Prepared& prepared, int steps) {
  const Graph& graph = prepared.graph;
  for (std::size_t i = 0; i < graph.variables.size(); ++i)
    backend_->write(graph.variables[i].name, prepared.variables[i].view());
  std::vector<HostView> feeds;
  for (const Tensor& feed : prepared.feeds) feeds.push_back(feed.view());
  Results results;
  std::vector<HostTensor> fetches;
  for (const Fetch& fetch : graph.fetches) results.fetches.emplace_back(graph.type(fetch.use));
  for (Tensor& fetch : results.fetches) fetches.push_back(fetch.host());
  for (int step = 0; step < steps; ++step) executable_->run({.index = step + 5, .seed = 11}, feeds, fetches);
  for (const Variable& variable : graph.variables) {
    results.variables.emplace_back(variable.type);
    backend_->read(variable.name, results.variables.back().host());
  }
  return results;
}

}  // namespace qfw::conformance
