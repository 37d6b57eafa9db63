#include "matmul/sliced_convolution.h"

#include <omp.h>

#include "matmul/make.h"

namespace qfw::cpu {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

Geometry slice_of(Geometry g, std::int64_t slices) {
  if (g.rows_are_pixels()) {
    g.w = g.ow = g.n * g.h * g.w / slices;
    g.n = g.h = g.oh = 1;
  } else {
    g.n /= slices;
  }
  return g;
}

}  // namespace

SlicedConvolution::SlicedConvolution(const Graph& graph, const Node& node, std::int64_t slices, Context& context)
    : context_(context) {
  const Geometry g = slice_of(geometry_of(graph, node), slices);
  const TensorType &src = graph.type(node.inputs[0]), &weights = graph.type(node.inputs[1]);
  src_ = src_memory(g, src.dtype, tag::nhwc);
  sums_ = dst_memory(g, DType::s32, tag::nhwc);
  src_step_ = static_cast<std::int64_t>(src.bytes()) / slices;
  slice_bytes_ = node.outputs[0].bytes() / static_cast<std::size_t>(slices);

  const PlannedThreads planned(1);
  const memory::dims strides{g.sh, g.sw}, low{g.top, g.left}, high{g.bottom, g.right};
  for (int thread = 0; thread < context.threads; ++thread) {
    Context& own = context.of_thread(thread);
    const dnnl::convolution_forward::primitive_desc desc(
        own.engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, src_,
        any_weights_memory(g, weights.dtype), sums_, strides, low, high, library_attributes());
    implementation_ = desc.impl_info_str();
    packed_desc_ = desc.weights_desc();
    images_stay_ = desc.src_desc() == src_ && desc.dst_desc() == sums_;
    if (!usable()) return;
    ScratchLayout layout;
    of_thread_.emplace_back(own, desc, dnnl::convolution_forward(desc),
                            std::vector<std::pair<int, memory::desc>>{
                                {DNNL_ARG_SRC, src_}, {DNNL_ARG_WEIGHTS, packed_desc_}, {DNNL_ARG_DST, sums_}},
                            layout);
    own.scratch.reserve(layout.size());
    own.slice.reserve(slice_bytes_);
  }
  {
    const PlannedThreads all(context.threads);
    pack_ = reorder(context, weights_memory(g, weights.dtype), packed_desc_, layout_);
  }
  if (pack_) packed_at_ = layout_.take(packed_desc_.get_size());
  context.scratch.reserve(layout_.size());
  const std::byte* constant = constant_operand(graph, node.inputs[1]);
  if (constant == nullptr || !pack_) return;
  own_ = Pages(packed_desc_.get_size());
  pack_.move(constant, own_.data());
  context_.stream.wait();
}

bool SlicedConvolution::usable() const {
  return images_stay_ && is_fast(implementation_.c_str()) && sums_in_32_bits(implementation_);
}

std::unique_ptr<SlicedConvolution> SlicedConvolution::make(const Graph& graph, const Node& node, std::int64_t slices,
                                                           Context& context) {
  if (own_integer(geometry_of(graph, node), context)) return nullptr;
  std::unique_ptr<SlicedConvolution> made(new SlicedConvolution(graph, node, slices, context));
  return made->usable() ? std::move(made) : nullptr;
}

void SlicedConvolution::pack(const void* weights) {
  weights_ = own_.data();
  if (weights_ != nullptr) return;
  weights_ = weights;
  if (!pack_) return;
  std::byte* packed = context_.scratch.data() + packed_at_;
  pack_.move(weights, packed);
  context_.stream.wait();
  weights_ = packed;
}

void SlicedConvolution::run(std::int64_t slice, const void* src, void* sums, int thread) {
  Primitive& own = of_thread_[static_cast<std::size_t>(thread)];
  own.set(DNNL_ARG_SRC, static_cast<const std::byte*>(src) + slice * src_step_);
  own.set(DNNL_ARG_WEIGHTS, weights_);
  own.set(DNNL_ARG_DST, sums);
  own.run();
  context_.of_thread(thread).stream.wait();
}

}  // namespace qfw::cpu
