#pragma once

#include <memory>

#include "matmul/matmul.h"

/// The makers among which make_matmul chooses.
namespace qfw::cpu {

inline bool is_integer(DType type) { return type == DType::u8 || type == DType::s8; }

/// The bytes of an operand that is a constant tensor, which may be packed once and for all; null of any other.
const std::byte* constant_operand(const Graph& graph, Use use);

int thread_index();  ///< of the calling thread in its parallel region

std::unique_ptr<Kernel> make_own_integer(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_own_integer_backward(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_own_grad_weights(const Graph& graph, const Node& node, Context& context);
/// conv2d of any type and conv2d_grad_src.
std::unique_ptr<Kernel> make_library_convolution(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_library_grad_weights(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_library_dense(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_max_pool(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_max_pool_grad(const Graph& graph, const Node& node, Context& context);

}  // namespace qfw::cpu
