#include <fmt/format.h>

#include <algorithm>

#include "matmul/convert.h"
#include "matmul/grad_weights_gemm.h"
#include "matmul/make.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

/// A dense layer of floats whose rows have the same bits in every batch and with any number of threads, as the product that
/// makes gradients of weights: dst[row][o] = sum over depth of transposed src[depth][row] * weights[depth][o].
class OwnDense final : public Kernel {
 public:
  OwnDense(const Graph& graph, const Node& node, Context& context) : context_(context), g_(geometry_of(graph, node)) {
    product_.bf16 = graph.type(node.inputs[0]).dtype == DType::bf16;
    product_.geometry = {.n = g_.c, .c = g_.n, .o = g_.o};
    parts_ = std::min<std::int64_t>((g_.n + gradient_tile - 1) / gradient_tile, context.threads);
    buffer_bytes_ = (gradient_buffer_bytes(product_.geometry) + 63) / 64 * 64;
    buffers_ = layout_.take(buffer_bytes_ * static_cast<std::size_t>(parts_));
    src_ = layout_.take(static_cast<std::size_t>(g_.n * g_.c) * size_of(graph.type(node.inputs[0]).dtype));
    if (product_.bf16) dst_ = layout_.take(static_cast<std::size_t>(g_.n * g_.o) * sizeof(float));
    context.scratch.reserve(layout_.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* scratch = context_.scratch.data();
    if (product_.bf16) {
      transpose(static_cast<const BFloat16*>(inputs[0]), reinterpret_cast<BFloat16*>(scratch + src_));
    } else {
      transpose(static_cast<const float*>(inputs[0]), reinterpret_cast<float*>(scratch + src_));
    }
    product_.src = scratch + src_;
    product_.grad = inputs[1];
    auto* dst = product_.bf16 ? reinterpret_cast<float*>(scratch + dst_) : static_cast<float*>(outputs[0]);
    const std::int64_t tiles = (g_.n + gradient_tile - 1) / gradient_tile;
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(parts_))
    for (std::int64_t i = 0; i < parts_; ++i) {
      multiply(product_, {.row = 0,
                          .row_end = g_.c,
                          .k = i * tiles / parts_ * gradient_tile,
                          .k_end = std::min(g_.n, (i + 1) * tiles / parts_ * gradient_tile),
                          .dst = dst,
                          .buffer = scratch + buffers_ + buffer_bytes_ * static_cast<std::size_t>(i)});
    }
    if (product_.bf16) narrow(dst, g_.n * g_.o, static_cast<BFloat16*>(outputs[0]), context_.threads);
  }

  const char* kind() const override { return "dense"; }
  std::string implementation() const override { return fmt::format("own f32 {}", gradient_target()); }

 private:
  template <class T>
  void transpose(const T* from, T* to) const {
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t k = 0; k < g_.c; ++k) {
      for (std::int64_t row = 0; row < g_.n; ++row) to[k * g_.n + row] = from[row * g_.c + k];
    }
  }

  Context& context_;
  Geometry g_;
  GradientProduct product_;
  std::int64_t parts_ = 1;
  ScratchLayout layout_;
  std::size_t buffers_ = 0, buffer_bytes_ = 0, src_ = 0, dst_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_own_dense(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<OwnDense>(graph, node, context);
}

}  // namespace qfw::cpu
