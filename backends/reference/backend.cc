#include "backend.h"

#include <algorithm>
#include <vector>

#include "qfw/lowering/interpreter.h"
#include "qfw/op_definition.h"

namespace qfw::reference {

Reference::Reference(const Options&)
    : variables_(std::make_shared<lowering::Variables>(
          lowering::Target{}, [slabs = std::make_shared<std::vector<std::vector<std::byte>>>()](std::size_t bytes) {
            return slabs->emplace_back(bytes).data();
          })) {}

Backend::Support Reference::supports(const Graph&, const Node& node) const {
  const OpDefinition& rules = definition(node.op);
  if (rules.op_class == OpClass::composite) return {false, std::string(rules.name) + " is expanded by the core"};
  if (node.op == Op::assign) return {false, "assign is removed by the core when it finishes a graph"};
  return {};
}

std::unique_ptr<Executable> Reference::compile(const Graph& graph, Communicator& replicas) {
  return std::make_unique<lowering::Interpreter>(graph, variables_, replicas, "reference");
}

void Reference::read(std::string_view variable, HostTensor to) const {
  const lowering::Variables::Entry& stored = variables_->find(variable, to.type, to.bytes.size());
  std::copy_n(stored.data, to.bytes.size(), to.bytes.data());
}

void Reference::write(std::string_view variable, HostView from) {
  lowering::Variables::Entry& stored = variables_->find(variable, from.type, from.bytes.size());
  std::ranges::copy(from.bytes, stored.data);
  stored.written = true;
}

}  // namespace qfw::reference
