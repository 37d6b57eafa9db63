#include "qfw/lowering/support.h"

#include <fmt/format.h>

#include "qfw/op_definition.h"

namespace qfw::lowering {

Backend::Support support_of(const Graph& graph, const Node& node) {
  const OpDefinition& rules = definition(node.op);
  if (rules.op_class == OpClass::composite) return {false, "expanded by the core"};
  if (node.op == Op::all_reduce && graph.type(node.inputs[0]).dtype != DType::f32) {
    return {false, fmt::format("all_reduce sums f32, this is {}; cast it first", graph.type(node.inputs[0]).str())};
  }
  if (rules.op_class != OpClass::source && node.op != Op::all_reduce && rules.evaluate == nullptr) {
    return {false, fmt::format("{} has no meaning at run time; finish the graph first", rules.name)};
  }
  return {};
}

}  // namespace qfw::lowering
