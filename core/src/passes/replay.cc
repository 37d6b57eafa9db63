#include "passes/replay.h"

namespace qfw {

std::vector<Value> Replay::inputs(const Node& node) const {
  std::vector<Value> inputs;
  for (const Use use : node.inputs) inputs.push_back(at(use));
  return inputs;
}

void Replay::copy(int number) {
  const Node& node = from_.nodes[number];
  const auto scope = BuilderAccess::at_path(to_, node.path);
  Value first = 0;
  switch (node.op) {
    case Op::input: {
      const Input& input = from_.inputs[node.as<Slot>().index];
      first = to_.input(input.name, input.type, input.replicated);
      break;
    }
    case Op::step: first = to_.step(); break;
    case Op::variable: first = BuilderAccess::variable(to_, from_.variables[node.as<Slot>().index]); break;
    case Op::assign: {
      const Value variable = BuilderAccess::variable(to_, from_.variables[node.as<Slot>().index]);
      first = to_.assign(variable, at(node.inputs[0]));
      break;
    }
    case Op::tensor: first = BuilderAccess::tensor(to_, from_.tensors[node.as<Slot>().index]); break;
    case Op::constant:
    case Op::random_uniform: first = BuilderAccess::source(to_, node.op, node.attributes, node.outputs[0]); break;
    default: first = to_.add(node.op, inputs(node), node.attributes);
  }
  std::vector<Value>& copies = values_[number];
  for (std::size_t output = 0; output < node.outputs.size(); ++output) {
    copies.emplace_back(to_, first.node(), first.output() + static_cast<int>(output));
  }
}

}  // namespace qfw
