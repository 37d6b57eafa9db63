#pragma once

#include <cstddef>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <span>
#include <string>

#include "qfw/graph.h"

/// What stands between the fused passes: convolutions, dense products and pooling, one kernel per node.
namespace qfw::cpu {

/// Memory that kernels use while they run, one kernel at a time. It grows in make_matmul only, so that run allocates nothing.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  void reserve(std::size_t bytes);
  std::byte* data() const { return data_; }  ///< aligned to 64 bytes; moves when reserve grows it
  std::size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// What the kernels of one backend share; it outlives them. Primitives are compiled once per key by oneDNN's own cache.
struct KernelContext {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  int threads = 1;
  /// For tests and benchmarks, which compare both sides on any machine. `library` may be inexact for integers (16-bit sums
  /// saturate) where the processor has no u8 x s8 instruction; `automatic` never is.
  enum class Implementation { automatic, library, own } implementation = Implementation::automatic;
  Scratch scratch{};
};

/// One node, ready to run. Tensors are dense and row-major (NHWC, HWIO, IO), of the types in the graph; inputs in the order
/// of the node's. Calls on kernels of one context must not overlap; none allocates. The caller's OpenMP setting must be the
/// context's threads: oneDNN reads it there.
class MatmulKernel {
 public:
  MatmulKernel() = default;
  MatmulKernel(const MatmulKernel&) = delete;
  MatmulKernel& operator=(const MatmulKernel&) = delete;
  virtual ~MatmulKernel();

  virtual void run(std::span<const void* const> inputs, void* output) = 0;
  /// For profiles: "conv2d forward", "conv2d backward data", "conv2d backward weights", "conv2d integer", "dense",
  /// "dense integer", "max pool" or "max pool backward".
  virtual const char* kind() const = 0;
  virtual std::string implementation() const = 0;  ///< for people: "brgconv:avx2", "own s16 AVX2"
};

/// For conv2d, conv2d_grad_src, conv2d_grad_weights, dense, max_pool and max_pool_grad. The node is one of the graph's; from
/// the graph the range of integer codes is read, which decides how fast they can be multiplied exactly.
std::unique_ptr<MatmulKernel> make_matmul(const Graph& graph, const Node& node, KernelContext& context);

/// One line for a backend's description: the instruction sets that oneDNN and the kernels here use.
std::string describe_matmul();

}  // namespace qfw::cpu
