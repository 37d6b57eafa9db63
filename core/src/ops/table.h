#pragma once

#include <vector>

#include "qfw/op_definition.h"

/// What table.cc collects: the rows of elementwise.cc, and one of each other op's file.
namespace qfw::ops {

std::vector<OpDefinition> elementwise_definitions();

OpDefinition input_definition();
OpDefinition variable_definition();
OpDefinition assign_definition();
OpDefinition constant_definition();
OpDefinition tensor_definition();
OpDefinition step_definition();
OpDefinition random_uniform_definition();
OpDefinition select_definition();
OpDefinition cast_definition();
OpDefinition straight_through_definition();
OpDefinition stop_gradient_definition();
OpDefinition reshape_definition();
OpDefinition transpose_definition();
OpDefinition broadcast_to_definition();
OpDefinition sum_definition();
OpDefinition reduce_max_definition();
OpDefinition reduce_min_definition();
OpDefinition moments_definition();
OpDefinition normalize_definition();
OpDefinition softmax_definition();
OpDefinition softmax_cross_entropy_definition();
OpDefinition conv2d_definition();
OpDefinition conv2d_grad_src_definition();
OpDefinition conv2d_grad_weights_definition();
OpDefinition dense_definition();
OpDefinition max_pool_definition();
OpDefinition max_pool_grad_definition();
OpDefinition all_reduce_definition();

}  // namespace qfw::ops
