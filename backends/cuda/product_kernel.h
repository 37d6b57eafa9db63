#pragma once

#include <memory>

#include "context.h"
#include "integer_operands.h"
#include "kernel.h"

namespace qfw::cuda {

/// A convolution of floats, a gradient of one, or a dense layer, as the device's own products (Device::make_product).
std::unique_ptr<Kernel> make_float_product(const Graph& graph, const Node& node, Context& context);

/// The same of integers, by own code (integer_convolution.h).
std::unique_ptr<Kernel> make_integer_product(const Graph& graph, const Node& node, Context& context);

/// A node as the convolution it belongs to.
ProductShape product_shape(const Graph& graph, const Node& node);

/// Weights of a node that are a constant tensor are packed here, once.
void pack_once_if_constant(const Graph& graph, const Node& node, IntegerOperands& operands, Context& context);

}  // namespace qfw::cuda
