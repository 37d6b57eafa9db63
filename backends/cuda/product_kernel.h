#pragma once

#include <memory>

#include "context.h"
#include "kernel.h"

namespace qfw::cuda {

/// A convolution of floats, a gradient of one, or a dense layer, as the device's own products (Device::make_product).
std::unique_ptr<Kernel> make_float_product(const Graph& graph, const Node& node, Context& context);

/// The same of integers, by own code (integer_convolution.h). Weights that are a constant tensor are packed here, once.
std::unique_ptr<Kernel> make_integer_product(const Graph& graph, const Node& node, Context& context);

}  // namespace qfw::cuda
