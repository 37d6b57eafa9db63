#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "matmul/convert.h"
#include "matmul/make.h"
#include "matmul/primitive.h"

namespace qfw::cpu {
namespace {

using dnnl::memory;
using tag = memory::format_tag;

// What a slice's images and results take in f32 while bf16 is computed through it: they stay in the last-level cache.
constexpr std::int64_t slice_bytes = 4 << 20;

/// A convolution or its gradient of src: from images and weights to images. Weights are reordered in each run, since they
/// change with each step, unless they are constant; images lie as they are (NHWC), unless oneDNN has nothing fast for that.
/// The gradient of a 1x1 convolution with strides is that without, its pixels spread among zeros.
class LibraryConvolution final : public Kernel {
 public:
  LibraryConvolution(const Graph& graph, const Node& node, Context& context)
      : context_(context), g_(geometry_of(graph, node)), backward_(node.op == Op::conv2d_grad_src) {
    const DType type = graph.type(node.inputs[0]).dtype;
    given_weights_ = graph.type(node.inputs[1]).dtype;
    through_f32_ = library_goes_through_f32(g_, type, backward_);
    integer_ = is_integer(type);
    src_type_ = through_f32_ ? DType::f32 : type;
    weights_type_ = integer_ ? given_weights_ : src_type_;
    dst_type_ = integer_ ? DType::s32 : src_type_;
    count_weights_ = g_.depth() * g_.o;
    slice_ = through_f32_ ? images_per_slice() : g_.n;
    slices_ = g_.n / slice_;
    g_.n = slice_;
    spread_ = backward_ && g_.kh == 1 && g_.kw == 1 && g_.sh * g_.sw > 1 && !through_f32_ && !pads(g_);
    whole_ = g_;
    if (spread_) {
      g_.h = g_.oh;
      g_.w = g_.ow;
      g_.sh = g_.sw = 1;
    }
    make();
    context.scratch.reserve(layout_.size());
    const std::byte* constant = constant_operand(graph, node.inputs[1]);
    if (constant != nullptr && (through_f32_ || pack_)) pack_once(constant);
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* scratch = context_.scratch.data();
    const void* weights = own_.data();
    if (weights == nullptr) weights = packed(inputs[1], scratch + wide_weights_, scratch + packed_);
    for (std::int64_t i = 0; i < slices_; ++i) {
      const void* from = inputs[0];
      void* to = outputs[0];
      if (through_f32_) {
        widen(static_cast<const BFloat16*>(from) + i * count_from_, count_from_, at<float>(scratch, wide_from_),
              context_.threads);
        from = scratch + wide_from_;
        to = scratch + wide_to_;
      }
      from = moved(move_from_, from, scratch + moved_from_);
      if (spread_) to = scratch + compact_;
      void* const result = move_to_ ? scratch + moved_to_ : to;
      main_.set(from_argument(), from);
      main_.set(DNNL_ARG_WEIGHTS, weights);
      main_.set(to_argument(), result);
      main_.run();
      moved(move_to_, result, to);
      if (spread_) spread(scratch + compact_, static_cast<std::byte*>(outputs[0]));
      if (through_f32_)
        narrow(at<float>(scratch, wide_to_), count_to_, static_cast<BFloat16*>(outputs[0]) + i * count_to_, context_.threads);
    }
    context_.stream.wait();
  }

  const char* kind() const override {
    if (backward_) return integer_ ? "conv2d backward data integer" : "conv2d backward data";
    return integer_ ? "conv2d integer" : "conv2d forward";
  }
  std::string implementation() const override {
    return implementation_ + (spread_ ? ", spread" : "") + (move_from_ || move_to_ ? ", reordered" : "") +
           (through_f32_ ? ", through f32" : "") + (own_.bytes() > 0 ? ", packed once" : "");
  }

 private:
  template <class T>
  static T* at(std::byte* scratch, std::size_t offset) {
    return reinterpret_cast<T*>(scratch + offset);
  }
  int from_argument() const { return backward_ && !integer_ ? DNNL_ARG_DIFF_DST : DNNL_ARG_SRC; }
  int to_argument() const { return backward_ && !integer_ ? DNNL_ARG_DIFF_SRC : DNNL_ARG_DST; }

  static const void* moved(Primitive& reorder, const void* from, void* to) {
    if (!reorder) return from;
    reorder.move(from, to);
    return to;
  }

  /// Weights as the primitive wants them: where they are, or in one of the two places.
  const void* packed(const void* weights, std::byte* wide, std::byte* to) {
    if (through_f32_) {
      widen(static_cast<const BFloat16*>(weights), count_weights_, reinterpret_cast<float*>(wide), context_.threads);
      weights = wide;
    }
    return moved(pack_, weights, to);
  }

  void pack_once(const void* weights) {
    std::byte* scratch = context_.scratch.data();
    own_ = Pages(weights_desc_.get_size());
    packed(weights, pack_ ? scratch + wide_weights_ : own_.data(), own_.data());
    context_.stream.wait();
  }

  static bool pads(const Geometry& g) { return g.top != 0 || g.left != 0 || g.bottom != 0 || g.right != 0; }

  void spread(const std::byte* from, std::byte* to) const {
    const Geometry& g = whole_;
    const auto pixel = static_cast<std::int64_t>(size_of(dst_type_)) * g.c;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t line = 0; line < g.n * g.h; ++line) {
      std::byte* at = to + line * g.w * pixel;
      const std::int64_t y = line % g.h, n = line / g.h;
      if (y % g.sh != 0 || y / g.sh >= g.oh) {
        std::memset(at, 0, static_cast<std::size_t>(g.w * pixel));
        continue;
      }
      const std::byte* row = from + (n * g.oh + y / g.sh) * g.ow * pixel;
      for (std::int64_t x = 0; x < g.w; ++x, at += pixel) {
        if (x % g.sw == 0 && x / g.sw < g.ow) {
          std::memcpy(at, row + x / g.sw * pixel, static_cast<std::size_t>(pixel));
        } else {
          std::memset(at, 0, static_cast<std::size_t>(pixel));
        }
      }
    }
  }

  std::int64_t images_per_slice() const {
    const std::int64_t image = 4 * (g_.h * g_.w * g_.c + g_.oh * g_.ow * g_.o);
    const std::int64_t wanted =
        std::clamp<std::int64_t>(slice_bytes / image, std::min<std::int64_t>(context_.threads, g_.n), g_.n);
    for (std::int64_t slice = wanted; slice < g_.n; ++slice) {
      if (g_.n % slice == 0) return slice;
    }
    return g_.n;
  }

  template <class Descriptor>
  void take(const Descriptor& desc, const memory::desc& from, const memory::desc& to) {
    layout_ = {};
    implementation_ = desc.impl_info_str();
    from_desc_ = from;
    to_desc_ = to;
    weights_desc_ = desc.weights_desc();
  }

  /// oneDNN has no integer gradient of src; its transposed convolution is the same sum under another name.
  void make_transposed(tag images) {
    const dnnl::deconvolution_forward::primitive_desc transposed(
        context_.engine, dnnl::prop_kind::forward_inference, dnnl::algorithm::deconvolution_direct,
        dst_memory(g_, src_type_, images), any_transposed_weights_memory(g_, weights_type_), src_memory(g_, dst_type_, images),
        {g_.sh, g_.sw}, {g_.top, g_.left}, {g_.bottom, g_.right}, library_attributes());
    take(transposed, transposed.src_desc(), transposed.dst_desc());
    main_ = Primitive(context_, transposed, dnnl::deconvolution_forward(transposed), arguments(), layout_);
  }

  /// The primitive for images in that layout, or in the one it prefers.
  void make(tag images) {
    if (backward_ && integer_) return make_transposed(images);
    const memory::desc src = src_memory(g_, backward_ ? dst_type_ : src_type_, images), dst = dst_memory(g_, dst_type_, images);
    const memory::desc weights = any_weights_memory(g_, weights_type_);
    const memory::dims strides{g_.sh, g_.sw}, low{g_.top, g_.left}, high{g_.bottom, g_.right};
    const dnnl::primitive_attr attributes = library_attributes();
    const dnnl::convolution_forward::primitive_desc forward(
        context_.engine, integer_ ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training,
        dnnl::algorithm::convolution_direct, src, weights, dst, strides, low, high, attributes);
    if (!backward_) {
      take(forward, forward.src_desc(), forward.dst_desc());
      main_ = Primitive(context_, forward, dnnl::convolution_forward(forward), arguments(), layout_);
      return;
    }
    const dnnl::convolution_backward_data::primitive_desc backward(context_.engine, dnnl::algorithm::convolution_direct, src,
                                                                   weights, dst, strides, low, high, forward, attributes);
    take(backward, backward.diff_dst_desc(), backward.diff_src_desc());
    main_ = Primitive(context_, backward, dnnl::convolution_backward_data(backward), arguments(), layout_);
  }
  std::vector<std::pair<int, memory::desc>> arguments() const {
    return {{from_argument(), from_desc_}, {DNNL_ARG_WEIGHTS, weights_desc_}, {to_argument(), to_desc_}};
  }

  void make() {
    make(tag::nhwc);
    if (!is_fast(implementation_.c_str())) {
      make(tag::any);
      if (!is_fast(implementation_.c_str())) make(tag::nhwc);
    }
    const memory::desc images_from = backward_ ? dst_memory(g_, src_type_, tag::nhwc) : src_memory(g_, src_type_, tag::nhwc);
    const memory::desc images_to = backward_ ? src_memory(g_, dst_type_, tag::nhwc) : dst_memory(g_, dst_type_, tag::nhwc);
    const DType given = through_f32_ ? DType::f32 : given_weights_;
    const memory::desc weights = backward_ && integer_ ? transposed_weights_memory(g_, given) : weights_memory(g_, given);
    pack_ = reorder(context_, weights, weights_desc_, layout_);
    move_from_ = reorder(context_, images_from, from_desc_, layout_);
    move_to_ = reorder(context_, to_desc_, images_to, layout_);
    if (pack_) packed_ = layout_.take(weights_desc_.get_size());
    if (move_from_) moved_from_ = layout_.take(from_desc_.get_size());
    if (move_to_) moved_to_ = layout_.take(to_desc_.get_size());
    if (spread_) compact_ = layout_.take(images_to.get_size());
    if (!through_f32_) return;
    count_from_ = static_cast<std::int64_t>(images_from.get_size() / 4);
    count_to_ = static_cast<std::int64_t>(images_to.get_size() / 4);
    wide_weights_ = layout_.take(static_cast<std::size_t>(count_weights_) * 4);
    wide_from_ = layout_.take(images_from.get_size());
    wide_to_ = layout_.take(images_to.get_size());
  }

  Context& context_;
  Geometry g_, whole_;  // of one slice: as it is computed, as the node has it
  bool backward_, through_f32_ = false, integer_ = false, spread_ = false;
  DType src_type_{}, weights_type_{}, dst_type_{}, given_weights_{};
  std::int64_t count_weights_ = 0, count_from_ = 0, count_to_ = 0, slice_ = 1, slices_ = 1;
  std::string implementation_;
  memory::desc from_desc_, to_desc_, weights_desc_;
  Primitive pack_, move_from_, main_, move_to_;
  ScratchLayout layout_;
  Pages own_;  ///< constant weights, packed
  std::size_t packed_ = 0, moved_from_ = 0, moved_to_ = 0, wide_weights_ = 0, wide_from_ = 0, wide_to_ = 0, compact_ = 0;
};

/// f32 or bf16 images, f32 gradient.
class LibraryGradWeights final : public Kernel {
 public:
  LibraryGradWeights(const Graph& graph, const Node& node, Context& context) : context_(context) {
    const Geometry g = geometry_of(graph, node);
    const DType type = graph.type(node.inputs[0]).dtype;
    make(g, type, tag::nhwc);
    if (!is_fast(implementation_.c_str())) make(g, type, tag::any);
    context.scratch.reserve(layout_.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* scratch = context_.scratch.data();
    const auto moved = [scratch](Primitive& reorder, const void* from, std::size_t to) {
      if (!reorder) return from;
      reorder.move(from, scratch + to);
      return static_cast<const void*>(scratch + to);
    };
    main_.set(DNNL_ARG_SRC, moved(move_src_, inputs[0], moved_src_));
    main_.set(DNNL_ARG_DIFF_DST, moved(move_grad_, inputs[1], moved_grad_));
    main_.set(DNNL_ARG_DIFF_WEIGHTS, unpack_ ? scratch + packed_ : outputs[0]);
    main_.run();
    if (unpack_) unpack_.move(scratch + packed_, outputs[0]);
    context_.stream.wait();
  }

  const char* kind() const override { return "conv2d backward weights"; }
  std::string implementation() const override { return implementation_ + (move_src_ || move_grad_ ? ", reordered" : ""); }

 private:
  void make(const Geometry& g, DType type, tag images) {
    const memory::desc src = src_memory(g, type, images), dst = dst_memory(g, type, images);
    const memory::dims strides{g.sh, g.sw}, low{g.top, g.left}, high{g.bottom, g.right};
    const dnnl::primitive_attr attributes = library_attributes();
    const auto direct = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::primitive_desc forward(context_.engine, dnnl::prop_kind::forward_training, direct, src,
                                                            any_weights_memory(g, type), dst, strides, low, high, attributes);
    const dnnl::convolution_backward_weights::primitive_desc desc(
        context_.engine, direct, src, any_weights_memory(g, DType::f32), dst, strides, low, high, forward, attributes);
    layout_ = {};
    implementation_ = desc.impl_info_str();
    main_ = Primitive(context_, desc, dnnl::convolution_backward_weights(desc),
                      {{DNNL_ARG_SRC, desc.src_desc()},
                       {DNNL_ARG_DIFF_DST, desc.diff_dst_desc()},
                       {DNNL_ARG_DIFF_WEIGHTS, desc.diff_weights_desc()}},
                      layout_);
    move_src_ = reorder(context_, src_memory(g, type, tag::nhwc), desc.src_desc(), layout_);
    move_grad_ = reorder(context_, dst_memory(g, type, tag::nhwc), desc.diff_dst_desc(), layout_);
    unpack_ = reorder(context_, desc.diff_weights_desc(), weights_memory(g, DType::f32), layout_);
    if (move_src_) moved_src_ = layout_.take(desc.src_desc().get_size());
    if (move_grad_) moved_grad_ = layout_.take(desc.diff_dst_desc().get_size());
    if (unpack_) packed_ = layout_.take(desc.diff_weights_desc().get_size());
  }

  Context& context_;
  std::string implementation_;
  Primitive move_src_, move_grad_, main_, unpack_;
  ScratchLayout layout_;
  std::size_t moved_src_ = 0, moved_grad_ = 0, packed_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_library_convolution(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<LibraryConvolution>(graph, node, context);
}
std::unique_ptr<Kernel> make_library_grad_weights(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<LibraryGradWeights>(graph, node, context);
}

}  // namespace qfw::cpu
