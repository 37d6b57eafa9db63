#include "ops/bounds.h"
#include "ops/table.h"

// What has no rules of shape: the builder gives these their types, backends their values. There is nothing behind them that a
// gradient could reach.
namespace qfw::ops {

OpDefinition input_definition() {
  return {.op = Op::input,
          .name = "input",
          .op_class = OpClass::source,
          .doc = "what the host feeds each step",
          .no_gradient = true};
}

OpDefinition variable_definition() {
  return {.op = Op::variable,
          .name = "variable",
          .op_class = OpClass::source,
          .doc = "a variable's value at the start of the step",
          .no_gradient = true};
}

/// Its operand is the variable's next value, which is also its own value. Gradients that reach it are the variable's, not the
/// operand's. The core removes it from finished graphs.
OpDefinition assign_definition() {
  return {.op = Op::assign,
          .name = "assign",
          .op_class = OpClass::other,
          .doc = "a variable's next value",
          .no_gradient = true,
          .bounds = bounds_of_first,
          .exact = true};
}

OpDefinition constant_definition() {
  return {.op = Op::constant,
          .name = "constant",
          .op_class = OpClass::source,
          .doc = "one number, repeated",
          .no_gradient = true,
          .bounds =
              [](const Node& node, std::span<const Bounds>, int) {
                const auto* number = std::get_if<Number>(&node.attributes);
                return number == nullptr ? Bounds{} : Bounds{number->value, number->value};
              },
          .cost = 0};
}

OpDefinition tensor_definition() {
  return {.op = Op::tensor,
          .name = "tensor",
          .op_class = OpClass::source,
          .doc = "one of the graph's constant tensors",
          .no_gradient = true};
}

OpDefinition step_definition() {
  return {.op = Op::step,
          .name = "step",
          .op_class = OpClass::source,
          .doc = "the number of completed steps, f32",
          .no_gradient = true,
          .bounds = [](const Node&, std::span<const Bounds>, int) {
            return Bounds{0, infinity};
          }};
}

}  // namespace qfw::ops
