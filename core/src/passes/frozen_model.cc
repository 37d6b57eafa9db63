#include "qfw/frozen_model.h"

#include <fmt/format.h>

#include "passes/step.h"
#include "qfw/error.h"

namespace qfw {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& where = {}) {
  fail(Error::Category::internal, "frozen model", what, where);
}

}  // namespace

void verify(const FrozenModel& model) {
  const Graph& graph = model.graph;
  verify(graph);
  if (!graph.variables.empty() || !graph.updates.empty()) refuse(fmt::format("{} variables", graph.variables.size()));
  if (graph.inputs.size() != 1 || graph.inputs[0].name != step_names::images || graph.inputs[0].type.shape.rank() != 4) {
    refuse(fmt::format("{} inputs, one of images is expected", graph.inputs.size()));
  }
  if (graph.fetches.size() != 1 || graph.fetches[0].name != step_names::logits ||
      graph.type(graph.fetches[0].use).shape.rank() != 2) {
    refuse(fmt::format("{} fetches, one of logits is expected", graph.fetches.size()));
  }
  const std::int64_t batch = model.batch();
  std::vector<bool> of_images;
  for (const Node& node : graph.nodes) {
    const OpClass op_class = class_of(node.op);
    if (op_class == OpClass::composite) refuse(std::string("a composite, ") + name_of(node.op), "layer " + node.path);
    if (node.op == Op::step || node.op == Op::random_uniform || node.op == Op::all_reduce) {
      refuse(std::string(name_of(node.op)) + " in an evaluation", "layer " + node.path);
    }
    bool any = node.op == Op::input;
    for (const Use use : node.inputs) any = any || of_images[static_cast<std::size_t>(use.node)];
    of_images.push_back(any);
    if (!any) continue;
    for (const TensorType& type : node.outputs) {
      if (type.shape.rank() > 0 && type.shape[0] == batch) continue;
      refuse(fmt::format("{} of all images at once: {}", name_of(node.op), type.str()), "layer " + node.path);
    }
  }
  if (!model.labels.empty() && static_cast<std::int64_t>(model.labels.size()) != model.classes()) {
    refuse(fmt::format("{} labels for {} classes", model.labels.size(), model.classes()));
  }
}

}  // namespace qfw
