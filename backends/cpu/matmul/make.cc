#include "matmul/make.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>

#include "matmul/integer_gemm.h"
#include "matmul/integer_words.h"
#include "matmul/primitive.h"
#include "qfw/error.h"

namespace qfw::cpu {
namespace {

using Implementation = Context::Implementation;

/// What lanes of a vector of at most 256 bits meet is the same then, and need not be gathered.
bool vectors_within_groups(const Geometry& g) { return word_lanes() < 16 && g.cg() > 1 && g.og() % word_lanes() == 0; }

/// Groups so narrow that a product of matrices for each would leave most of its vectors empty.
bool narrow_groups(const Geometry& g) {
  return g.groups > 1 && std::max(g.cg(), g.og()) <= (vectors_within_groups(g) ? 32 : 16);
}

}  // namespace

std::unique_ptr<Kernel> make_own_integer(const Graph& graph, const Node& node, Context& context) {
  const Geometry g = geometry_of(graph, node);
  const bool cuts = std::min({g.top, g.left, g.bottom, g.right}) < 0;  // as phases of a gradient may
  if (narrow_groups(g) && !cuts) return make_integer_groups(graph, node, context);
  return make_integer_product(graph, node, context);
}

bool own_integer(const Geometry& g, const Context& context) {
  if (context.implementation != Implementation::automatic) return context.implementation == Implementation::own;
  return !library_has_integer_dot() || (narrow_groups(g) && g.cg() > 1 && g.cg() < 8);
}

bool library_goes_through_f32(const Geometry& g, DType type, bool backward) {
  const bool no_code = backward && g.cg() == 1 && (g.sh > 1 || g.sw > 1);
  return type == DType::bf16 && (!library_has_bf16() || no_code);
}

namespace {

/// oneDNN takes, layer by layer, what it has: kernels of a lower instruction set among them, whose 16-bit sums saturate. Only
/// those that name an instruction with 32-bit sums are trusted.
std::unique_ptr<Kernel> make_integer(const Graph& graph, const Node& node, Context& context) {
  const auto make_own = node.op == Op::conv2d_grad_src ? make_own_integer_backward : make_own_integer;
  if (own_integer(geometry_of(graph, node), context)) return make_own(graph, node, context);
  auto library =
      node.op == Op::dense ? make_library_dense(graph, node, context) : make_library_convolution(graph, node, context);
  if (context.implementation == Implementation::library || sums_in_32_bits(library->implementation())) return library;
  return make_own(graph, node, context);
}

/// Of narrow groups oneDNN's code is faster where its blocks of 8 channels are full, and for kernels of at most 3x3 and a
/// channel where pixels are so far apart that no processor fetches them ahead.
bool library_takes_groups(const Geometry& g) {
  if (g.kh == 1 && g.kw == 1) return false;
  return (g.cg() % 8 == 0 && g.og() % 8 == 0) ||
         (g.cg() == 1 && g.og() == 1 && g.c % 16 == 0 && g.c > 512 && g.kh <= 3 && g.kw <= 3);
}

bool library_has_512_bits() {
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
}

/// oneDNN's AVX2 code is slow for NHWC; its 512-bit code was made for this layout. Some of its 1x1 kernels with strides return
/// wrong sums for a few channels (3.2, jit_1x1:avx2), so that it gets whole vectors of them only.
bool own_grad_weights(const Geometry& g, DType type, const Context& context) {
  if (type == DType::bf16 && !library_has_bf16()) return true;
  if (narrow_groups(g) && context.implementation == Implementation::automatic) {
    return vectors_within_groups(g) || !library_takes_groups(g);
  }
  if (!library_takes_groups(g) && (g.cg() % 16 != 0 || g.og() % 16 != 0)) return true;
  if (context.implementation != Implementation::automatic) return context.implementation == Implementation::own;
  return !library_has_512_bits();
}

/// Without 512 bits oneDNN multiplies matrices by code that shares out the depth by the number of rows: an image's logits would
/// have other last bits in another batch. An evaluation must not.
bool own_dense(const Graph& graph, DType type, const Context& context) {
  if (context.implementation != Implementation::automatic) return context.implementation == Implementation::own;
  return graph.summation == Summation::in_order && !library_has_512_bits() && (type == DType::f32 || !library_has_bf16());
}

/// oneDNN's reorder rows of images and then the result. What caps its instructions caps ours.
bool own_tiles(const Graph& graph, const Node& node, const Context& context) {
  return context.implementation != Implementation::library && library_has_tiles() &&
         graph.type(node.inputs[1]).dtype == DType::bf16 && takes_tiles(geometry_of(graph, node));
}

std::unique_ptr<Kernel> make_grad_weights(const Graph& graph, const Node& node, Context& context) {
  if (own_tiles(graph, node, context)) return make_grad_weights_tiles(graph, node, context);
  const Geometry g = geometry_of(graph, node);
  if (!own_grad_weights(g, graph.type(node.inputs[0]).dtype, context)) return make_library_grad_weights(graph, node, context);
  return narrow_groups(g) ? make_direct_grad_weights(graph, node, context) : make_own_grad_weights(graph, node, context);
}

std::unique_ptr<Kernel> make_float_convolution(const Graph& graph, const Node& node, Context& context) {
  return by_winograd(graph, node, context) ? make_winograd(graph, node, context)
                                           : make_library_convolution(graph, node, context);
}

std::unique_ptr<Kernel> make(const Graph& graph, const Node& node, Context& context) {
  const DType type = graph.type(node.inputs[0]).dtype;
  switch (node.op) {
    case Op::conv2d:
    case Op::conv2d_grad_src:
      return is_integer(type) ? make_integer(graph, node, context) : make_float_convolution(graph, node, context);
    case Op::conv2d_grad_weights:
      return make_grad_weights(graph, node, context);
    case Op::dense:
      if (is_integer(type)) return make_integer(graph, node, context);
      return own_dense(graph, type, context) ? make_own_dense(graph, node, context) : make_library_dense(graph, node, context);
    case Op::max_pool:
      return make_max_pool(graph, node, context);
    case Op::max_pool_grad:
      return make_max_pool_grad(graph, node, context);
    default:
      fail(Error::Category::internal, "cpu", fmt::format("{} is no matmul", name_of(node.op)), node.path);
  }
}

}  // namespace

int codes_operand(const Graph& graph, const Node& node, const Context& context) {
  if (node.op == Op::conv2d_grad_weights && own_tiles(graph, node, context)) return 0;
  if (node.op == Op::conv2d_grad_src && graph.type(node.inputs[0]).dtype == DType::bf16) {
    return library_goes_through_f32(geometry_of(graph, node), DType::bf16, true) ? -1 : 1;
  }
  return -1;
}

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

bool by_winograd(const Graph& graph, const Node& node, const Context& context) {
  if (!context.winograd || (node.op != Op::conv2d && node.op != Op::conv2d_grad_src)) return false;
  return graph.type(node.inputs[0]).dtype == DType::f32 && takes_winograd(geometry_of(graph, node));
}

std::string describe_matmul() {
  const dnnl_version_t& version = *dnnl::version();
  return fmt::format("oneDNN {}.{}.{}{}{}, own kernels {}", version.major, version.minor, version.patch,
                     library_has_bf16() ? " with bf16" : "", library_has_integer_dot() ? " with int8" : "", integer_target());
}

}  // namespace qfw::cpu
