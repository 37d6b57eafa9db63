#include "matmul/sliced_convolution.h"

#include <omp.h>

#include <algorithm>

#include "matmul/make.h"

namespace qfw::cpu {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

/// So many rows of dst of one image, from `first` on: what they read of src, and what of that is padding.
Geometry rows_of(Geometry g, std::int64_t first, std::int64_t rows) {
  const std::int64_t begin = first * g.sh - g.top, end = (first + rows - 1) * g.sh - g.top + g.kh;
  g.top = std::max<std::int64_t>(0, -begin);
  g.bottom = std::max<std::int64_t>(0, end - g.h);
  g.h = std::min(end, g.h) - std::max<std::int64_t>(0, begin);
  g.oh = rows;
  g.n = 1;
  return g;
}

bool same_slice(const Geometry& a, const Geometry& b) {
  return a.h == b.h && a.top == b.top && a.bottom == b.bottom;  // all else is equal
}

}  // namespace

bool SlicedConvolution::divides(const Geometry& g, std::int64_t slices) {
  if (g.rows_are_pixels()) return g.rows() % slices == 0;
  if (g.n % slices == 0) return true;
  // A row that reads nothing but padding is left to the whole.
  const bool reads = g.top >= 0 && g.bottom >= 0 && g.top < g.kh && g.bottom < g.kh;
  return reads && slices % g.n == 0 && g.oh % (slices / g.n) == 0;
}

void SlicedConvolution::cut(const Geometry& g, std::int64_t slices, std::int64_t element) {
  if (g.rows_are_pixels() || g.n % slices == 0) {
    Geometry slice = g;
    if (g.rows_are_pixels()) {
      slice.w = slice.ow = g.rows() / slices;
      slice.n = slice.h = slice.oh = 1;
    } else {
      slice.n /= slices;
    }
    const std::int64_t step = slice.n * slice.h * slice.w * slice.c * element;
    for (std::int64_t i = 0; i < slices; ++i) slices_.push_back({i * step, variant_of(slice)});
    return;
  }
  const std::int64_t of_image = slices / g.n, rows = g.oh / of_image, line = g.w * g.c * element;
  for (std::int64_t i = 0; i < slices; ++i) {
    const std::int64_t first = i % of_image * rows, begin = std::max<std::int64_t>(0, first * g.sh - g.top);
    slices_.push_back({(i / of_image * g.h + begin) * line, variant_of(rows_of(g, first, rows))});
  }
}

std::size_t SlicedConvolution::variant_of(const Geometry& g) {
  const auto known = std::ranges::find_if(variants_, [&](const Variant& variant) { return same_slice(variant.g, g); });
  if (known == variants_.end()) {
    variants_.push_back({.g = g, .src = {}, .sums = {}, .of_thread = {}});
    return variants_.size() - 1;
  }
  return static_cast<std::size_t>(known - variants_.begin());
}

SlicedConvolution::SlicedConvolution(const Graph& graph, const Node& node, std::int64_t slices, Context& context)
    : context_(context) {
  const TensorType &src = graph.type(node.inputs[0]), &weights = graph.type(node.inputs[1]);
  cut(geometry_of(graph, node), slices, static_cast<std::int64_t>(size_of(src.dtype)));
  slice_bytes_ = node.outputs[0].bytes() / static_cast<std::size_t>(slices);
  {
    const PlannedThreads planned(1);
    for (Variant& variant : variants_) {
      if (!make_variant(variant, src.dtype, weights.dtype)) return;
    }
  }
  for (int thread = 0; thread < context.threads; ++thread) context.of_thread(thread).slice.reserve(slice_bytes_);
  make_packed(graph, node);
  usable_ = true;
}

/// Whether there is a primitive for it that is exact and fast, leaves images as they are and takes weights as the others do.
bool SlicedConvolution::make_variant(Variant& variant, DType src, DType weights) {
  const Geometry& g = variant.g;
  variant.src = src_memory(g, src, tag::nhwc);
  variant.sums = dst_memory(g, DType::s32, tag::nhwc);
  const memory::dims strides{g.sh, g.sw}, low{g.top, g.left}, high{g.bottom, g.right};
  for (int thread = 0; thread < context_.threads; ++thread) {
    Context& own = context_.of_thread(thread);
    const dnnl::convolution_forward::primitive_desc desc(
        own.engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, variant.src,
        any_weights_memory(g, weights), variant.sums, strides, low, high, library_attributes());
    const bool first = &variant == &variants_.front() && thread == 0;
    if (first) {
      implementation_ = desc.impl_info_str();
      packed_desc_ = desc.weights_desc();
    }
    const bool images_stay = desc.src_desc() == variant.src && desc.dst_desc() == variant.sums;
    if (!images_stay || !is_fast(desc.impl_info_str()) || !sums_in_32_bits(desc.impl_info_str())) return false;
    if (desc.weights_desc() != packed_desc_) return false;
    ScratchLayout layout;
    variant.of_thread.emplace_back(
        own, desc, dnnl::convolution_forward(desc),
        std::vector<std::pair<int, memory::desc>>{
            {DNNL_ARG_SRC, variant.src}, {DNNL_ARG_WEIGHTS, packed_desc_}, {DNNL_ARG_DST, variant.sums}},
        layout);
    own.scratch.reserve(layout.size());
  }
  return true;
}

void SlicedConvolution::make_packed(const Graph& graph, const Node& node) {
  {
    const PlannedThreads all(context_.threads);
    const Geometry g = geometry_of(graph, node);
    pack_ = reorder(context_, weights_memory(g, graph.type(node.inputs[1]).dtype), packed_desc_, layout_);
  }
  if (pack_) packed_at_ = layout_.take(packed_desc_.get_size());
  context_.scratch.reserve(layout_.size());
  const std::byte* constant = constant_operand(graph, node.inputs[1]);
  if (constant == nullptr || !pack_) return;
  own_ = Pages(packed_desc_.get_size());
  pack_.move(constant, own_.data());
  context_.stream.wait();
}

std::unique_ptr<SlicedConvolution> SlicedConvolution::make(const Graph& graph, const Node& node, std::int64_t slices,
                                                           Context& context) {
  if (own_integer(geometry_of(graph, node), context)) return nullptr;
  std::unique_ptr<SlicedConvolution> made(new SlicedConvolution(graph, node, slices, context));
  return made->usable_ ? std::move(made) : nullptr;
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

void SlicedConvolution::run(std::int64_t number, const void* src, void* sums, int thread) {
  const Slice& slice = slices_[static_cast<std::size_t>(number)];
  Primitive& own = variants_[slice.variant].of_thread[static_cast<std::size_t>(thread)];
  own.set(DNNL_ARG_SRC, static_cast<const std::byte*>(src) + slice.src);
  own.set(DNNL_ARG_WEIGHTS, weights_);
  own.set(DNNL_ARG_DST, sums);
  own.run();
  context_.of_thread(thread).stream.wait();
}

}  // namespace qfw::cpu
