#include <memory>
#include <string>

#include "matmul/convert.h"
#include "matmul/make.h"
#include "matmul/primitive.h"

namespace qfw::cpu {
namespace {

using dnnl::memory;

memory::desc matrix(std::int64_t rows, std::int64_t columns, DType type) {
  return {{rows, columns}, library_type(type), memory::format_tag::ab};
}

memory::desc any_matrix(std::int64_t rows, std::int64_t columns, DType type) {
  return {{rows, columns}, library_type(type), memory::format_tag::any};
}

class LibraryDense final : public Kernel {
 public:
  LibraryDense(const Graph& graph, const Node& node, Context& context) : context_(context), g_(geometry_of(graph, node)) {
    const DType type = graph.type(node.inputs[0]).dtype, weights_type = graph.type(node.inputs[1]).dtype;
    integer_ = is_integer(type);
    through_f32_ = type == DType::bf16 && !library_has_bf16();
    const auto computed = [this](DType t) { return through_f32_ ? DType::f32 : t; };
    const memory::desc src = matrix(g_.n, g_.c, computed(type)), plain = matrix(g_.c, g_.o, computed(weights_type));
    const std::byte* constant = constant_operand(graph, node.inputs[1]);
    const memory::desc weights = constant != nullptr ? any_matrix(g_.c, g_.o, computed(weights_type)) : plain;
    const memory::desc dst = matrix(g_.n, g_.o, integer_ ? DType::s32 : computed(type));
    const dnnl::matmul::primitive_desc desc(context.engine, src, weights, dst, library_attributes());
    implementation_ = desc.impl_info_str();
    const memory::desc packed = desc.weights_desc();
    product_ = Primitive(context, desc, dnnl::matmul(desc),
                         {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, packed}, {DNNL_ARG_DST, dst}}, layout_);
    Primitive pack = reorder(context, plain, packed, layout_);
    if (through_f32_) {
      src_ = layout_.take(src.get_size());
      weights_ = layout_.take(plain.get_size());
      dst_ = layout_.take(dst.get_size());
    }
    context.scratch.reserve(layout_.size());
    if (constant != nullptr && (through_f32_ || pack)) pack_once(constant, packed, pack);
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* scratch = context_.scratch.data();
    const auto wide = [&](const void* from, std::int64_t count, std::size_t at) {
      if (!through_f32_) return from;
      widen(static_cast<const BFloat16*>(from), count, reinterpret_cast<float*>(scratch + at), context_.threads);
      return static_cast<const void*>(scratch + at);
    };
    product_.set(DNNL_ARG_SRC, wide(inputs[0], g_.n * g_.c, src_));
    product_.set(DNNL_ARG_WEIGHTS, own_.bytes() > 0 ? own_.data() : wide(inputs[1], g_.c * g_.o, weights_));
    product_.set(DNNL_ARG_DST, through_f32_ ? scratch + dst_ : outputs[0]);
    product_.run();
    context_.stream.wait();
    if (through_f32_)
      narrow(reinterpret_cast<const float*>(scratch + dst_), g_.n * g_.o, static_cast<BFloat16*>(outputs[0]), context_.threads);
  }

  const char* kind() const override { return integer_ ? "dense integer" : "dense"; }
  std::string implementation() const override {
    return implementation_ + (through_f32_ ? ", through f32" : "") + (own_.bytes() > 0 ? ", packed once" : "");
  }

 private:
  void pack_once(const void* weights, const memory::desc& packed, Primitive& pack) {
    own_ = Pages(packed.get_size());
    if (through_f32_) {
      std::byte* wide = pack ? context_.scratch.data() + weights_ : own_.data();
      widen(static_cast<const BFloat16*>(weights), g_.c * g_.o, reinterpret_cast<float*>(wide), context_.threads);
      weights = wide;
    }
    if (!pack) return;
    pack.move(weights, own_.data());
    context_.stream.wait();
  }

  Context& context_;
  Geometry g_;
  bool integer_ = false, through_f32_ = false;
  std::string implementation_;
  ScratchLayout layout_;
  Primitive product_;
  Pages own_;  ///< constant weights, as they are multiplied
  std::size_t src_ = 0, weights_ = 0, dst_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_library_dense(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<LibraryDense>(graph, node, context);
}

}  // namespace qfw::cpu
