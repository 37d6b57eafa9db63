#include "matmul/make.h"

#include <fmt/format.h>
#include <omp.h>

#include "matmul/integer_gemm.h"
#include "matmul/primitive.h"
#include "qfw/error.h"

namespace qfw::cpu {
namespace {

using Implementation = Context::Implementation;

/// Primitives are planned for the number of threads they will run with.
class PlannedThreads {
 public:
  explicit PlannedThreads(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  PlannedThreads(const PlannedThreads&) = delete;
  PlannedThreads& operator=(const PlannedThreads&) = delete;
  ~PlannedThreads() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// Our integer product is exact everywhere; oneDNN's is faster where it is exact, too.
bool own_integer(const Context& context) {
  if (context.implementation != Implementation::automatic) return context.implementation == Implementation::own;
  return !library_has_integer_dot();
}

/// oneDNN takes, layer by layer, what it has: kernels of a lower instruction set among them, whose 16-bit sums saturate. Only
/// those that name an instruction with 32-bit sums are trusted.
std::unique_ptr<Kernel> make_integer(const Graph& graph, const Node& node, Context& context) {
  const auto make_own = node.op == Op::conv2d_grad_src ? make_own_integer_backward : make_own_integer;
  if (own_integer(context)) return make_own(graph, node, context);
  auto library =
      node.op == Op::dense ? make_library_dense(graph, node, context) : make_library_convolution(graph, node, context);
  if (context.implementation == Implementation::library || sums_in_32_bits(library->implementation())) return library;
  return make_own(graph, node, context);
}

/// oneDNN's AVX2 code is slow for NHWC; its 512-bit code was made for this layout. Some of its 1x1 kernels with strides return
/// wrong sums for a few channels (3.2, jit_1x1:avx2), so that it gets whole vectors of them only.
bool own_grad_weights(const Graph& graph, const Node& node, const Context& context) {
  const DType type = graph.type(node.inputs[0]).dtype;
  const Geometry g = geometry_of(graph, node);
  if ((type == DType::bf16 && !library_has_bf16()) || g.cg() % 16 != 0 || g.og() % 16 != 0) return true;
  if (context.implementation != Implementation::automatic) return context.implementation == Implementation::own;
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & dnnl_cpu_isa_avx512_core) != dnnl_cpu_isa_avx512_core;
}

std::unique_ptr<Kernel> make(const Graph& graph, const Node& node, Context& context) {
  const DType type = graph.type(node.inputs[0]).dtype;
  switch (node.op) {
    case Op::conv2d:
    case Op::conv2d_grad_src:
      if (is_integer(type)) return make_integer(graph, node, context);
      return make_library_convolution(graph, node, context);
    case Op::conv2d_grad_weights:
      if (own_grad_weights(graph, node, context)) return make_own_grad_weights(graph, node, context);
      return make_library_grad_weights(graph, node, context);
    case Op::dense:
      if (is_integer(type)) return make_integer(graph, node, context);
      return make_library_dense(graph, node, context);
    case Op::max_pool:
      return make_max_pool(graph, node, context);
    case Op::max_pool_grad:
      return make_max_pool_grad(graph, node, context);
    default:
      fail(Error::Category::internal, "cpu", fmt::format("{} is no matmul", name_of(node.op)), node.path);
  }
}

}  // namespace

const std::byte* constant_operand(const Graph& graph, Use use) {
  const Node& node = graph.nodes[use.node];
  return node.op == Op::tensor ? graph.tensors[node.as<Slot>().index].bytes->data() : nullptr;
}

int thread_index() { return omp_get_thread_num(); }

std::unique_ptr<Kernel> make_matmul(const Graph& graph, const Node& node, Context& context) {
  const PlannedThreads planned(context.threads);
  try {
    return make(graph, node, context);
  } catch (const dnnl::error& error) {
    fail(Error::Category::device, "cpu",
         fmt::format("oneDNN refuses {} of {} and {}: {}", name_of(node.op), graph.type(node.inputs[0]).str(),
                     node.inputs.size() > 1 ? graph.type(node.inputs[1]).str() : "nothing", error.what()),
         node.path, "backend.name = reference takes every shape");
  }
}

std::string describe_matmul() {
  const dnnl_version_t& version = *dnnl::version();
  return fmt::format("oneDNN {}.{}.{}{}{}, own kernels {}", version.major, version.minor, version.patch,
                     library_has_bf16() ? " with bf16" : "", library_has_integer_dot() ? " with int8" : "", integer_target());
}

}  // namespace qfw::cpu
