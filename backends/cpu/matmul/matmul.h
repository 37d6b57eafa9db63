#pragma once

#include <memory>
#include <string>

#include "context.h"
#include "kernel.h"

/// What stands between the fused passes: convolutions, dense products and pooling, one kernel per node.
namespace qfw::cpu {

/// For conv2d, conv2d_grad_src, conv2d_grad_weights, dense, max_pool and max_pool_grad. The node is one of the graph's; from
/// the graph the range of integer codes is read, which decides how fast they can be multiplied exactly. Tensors are NHWC, HWIO
/// and IO. Weights that are a constant tensor are packed here, others in each run. While the kernel runs, the caller's OpenMP
/// setting must be the context's threads: oneDNN reads it there.
std::unique_ptr<Kernel> make_matmul(const Graph& graph, const Node& node, Context& context);

/// Whether make_matmul takes the context's Winograd for that node, of any op.
bool by_winograd(const Graph& graph, const Node& node, const Context& context);

/// One line for a backend's description: the instruction sets that oneDNN and the kernels here use.
std::string describe_matmul();

}  // namespace qfw::cpu
