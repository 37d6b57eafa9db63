#include "ops/table.h"

// What has no rules: the builder gives these their types, backends their values.
namespace qfw::ops {

OpDefinition input_definition() {
  return {.op = Op::input, .name = "input", .op_class = OpClass::source, .doc = "what the host feeds each step"};
}

OpDefinition variable_definition() {
  return {.op = Op::variable,
          .name = "variable",
          .op_class = OpClass::source,
          .doc = "a variable's value at the start of the step"};
}

/// Its operand is the variable's next value, which is also its own value. Gradients that reach it are the variable's, not the
/// operand's. The core removes it from finished graphs.
OpDefinition assign_definition() {
  return {.op = Op::assign, .name = "assign", .op_class = OpClass::other, .doc = "a variable's next value"};
}

OpDefinition constant_definition() {
  return {.op = Op::constant, .name = "constant", .op_class = OpClass::source, .doc = "one number, repeated"};
}

OpDefinition tensor_definition() {
  return {.op = Op::tensor, .name = "tensor", .op_class = OpClass::source, .doc = "one of the graph's constant tensors"};
}

OpDefinition step_definition() {
  return {.op = Op::step, .name = "step", .op_class = OpClass::source, .doc = "the number of completed steps, f32"};
}

}  // namespace qfw::ops
