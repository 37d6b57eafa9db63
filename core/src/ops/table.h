#pragma once

#include "qfw/op_definition.h"

/// Every op has its file, which defines one of these; table.cc collects them.
namespace qfw::ops {

OpDefinition input_definition();
OpDefinition variable_definition();
OpDefinition assign_definition();
OpDefinition constant_definition();
OpDefinition tensor_definition();
OpDefinition step_definition();
OpDefinition random_uniform_definition();
OpDefinition add_definition();
OpDefinition subtract_definition();
OpDefinition multiply_definition();
OpDefinition divide_definition();
OpDefinition minimum_definition();
OpDefinition maximum_definition();
OpDefinition negate_definition();
OpDefinition relu_definition();
OpDefinition abs_definition();
OpDefinition exp_definition();
OpDefinition log_definition();
OpDefinition sqrt_definition();
OpDefinition tanh_definition();
OpDefinition floor_definition();
OpDefinition round_even_definition();
OpDefinition is_finite_definition();
OpDefinition less_definition();
OpDefinition less_equal_definition();
OpDefinition equal_definition();
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
