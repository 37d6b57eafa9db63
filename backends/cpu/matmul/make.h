#pragma once

#include <memory>

#include "matmul/geometry.h"
#include "matmul/matmul.h"

/// The makers among which make_matmul chooses.
namespace qfw::cpu {

inline bool is_integer(DType type) { return type == DType::u8 || type == DType::s8; }

/// Whether our own product takes an integer node: it is exact everywhere; oneDNN's is faster where it is exact, too, but for
/// groups of a few channels, which it pads.
bool own_integer(const Geometry& g, const Context& context);
/// Whether oneDNN gets bf16 as f32: without instructions for it, and for the gradient of src where strides and groups of a
/// channel meet, for which it has nothing but loops.
bool library_goes_through_f32(const Geometry& g, DType type, bool backward);

/// The operand that the kernel of that bf16 node takes as codes of at most 8 bits, too; -1: none.
int codes_operand(const Graph& graph, const Node& node, const Context& context);

/// The bytes of an operand that is a constant tensor, which may be packed once and for all; null of any other.
const std::byte* constant_operand(const Graph& graph, Use use);

int thread_index();  ///< of the calling thread in its parallel region

/// The better of the two below.
std::unique_ptr<Kernel> make_own_integer(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_integer_product(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_integer_groups(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_own_integer_backward(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_own_grad_weights(const Graph& graph, const Node& node, Context& context);
/// The same in tiles (AMX), where they take it: of bf16, or of codes of at most 8 bits and a bf16 gradient.
bool takes_tiles(const Geometry& g);
std::unique_ptr<Kernel> make_grad_weights_tiles(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_direct_grad_weights(const Graph& graph, const Node& node, Context& context);
/// conv2d of f32 and conv2d_grad_src, by fewer multiplications than their definition has.
bool takes_winograd(const Geometry& g);
std::unique_ptr<Kernel> make_winograd(const Graph& graph, const Node& node, Context& context);
/// conv2d of any type and conv2d_grad_src.
std::unique_ptr<Kernel> make_library_convolution(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_library_grad_weights(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_library_dense(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_own_dense(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_max_pool(const Graph& graph, const Node& node, Context& context);
std::unique_ptr<Kernel> make_max_pool_grad(const Graph& graph, const Node& node, Context& context);

}  // namespace qfw::cpu
