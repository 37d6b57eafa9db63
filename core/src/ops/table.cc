#include "ops/table.h"

#include <array>
#include <string>

#include "qfw/error.h"

namespace qfw {

namespace {

std::array<OpDefinition, op_count> make_table() {
  std::array<OpDefinition, op_count> table;
  for (const OpDefinition& rules : ops::elementwise_definitions()) table[static_cast<int>(rules.op)] = rules;
  for (OpDefinition (*define)() : {ops::input_definition,
                                   ops::variable_definition,
                                   ops::assign_definition,
                                   ops::constant_definition,
                                   ops::tensor_definition,
                                   ops::step_definition,
                                   ops::random_uniform_definition,
                                   ops::select_definition,
                                   ops::cast_definition,
                                   ops::straight_through_definition,
                                   ops::stop_gradient_definition,
                                   ops::reshape_definition,
                                   ops::transpose_definition,
                                   ops::broadcast_to_definition,
                                   ops::sum_definition,
                                   ops::reduce_max_definition,
                                   ops::reduce_min_definition,
                                   ops::moments_definition,
                                   ops::normalize_definition,
                                   ops::softmax_definition,
                                   ops::softmax_cross_entropy_definition,
                                   ops::conv2d_definition,
                                   ops::conv2d_grad_src_definition,
                                   ops::conv2d_grad_weights_definition,
                                   ops::dense_definition,
                                   ops::max_pool_definition,
                                   ops::max_pool_grad_definition,
                                   ops::all_reduce_definition}) {
    const OpDefinition rules = define();
    table[static_cast<int>(rules.op)] = rules;
  }
  for (int op = 0; op < op_count; ++op) {
    if (table[op].name[0] == 0) fail(Error::Category::internal, "ops", "op " + std::to_string(op) + " has no definition");
  }
  return table;
}

}  // namespace

const OpDefinition& definition(Op op) {
  static const std::array<OpDefinition, op_count> table = make_table();
  const int number = static_cast<int>(op);
  if (number >= op_count) fail(Error::Category::internal, "ops", "there is no op number " + std::to_string(number));
  return table[number];
}

const char* name_of(Op op) { return definition(op).name; }
OpClass class_of(Op op) { return definition(op).op_class; }

}  // namespace qfw
