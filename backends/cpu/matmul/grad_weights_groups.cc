#include <fmt/format.h>

#include <algorithm>

#include "matmul/grad_weights_direct.h"
#include "matmul/grad_weights_gemm.h"
#include "matmul/make.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

class DirectGradWeights final : public Kernel {
 public:
  DirectGradWeights(const Graph& graph, const Node& node, Context& context) : context_(context) {
    product_.geometry = geometry_of(graph, node);
    product_.bf16 = graph.type(node.inputs[0]).dtype == DType::bf16;
    const Geometry& g = product_.geometry;
    parts_ = std::min<std::int64_t>(context.threads, g.n * g.oh);
    part_sums_ = direct_gradient_sums(g);
    buffer_bytes_ = (direct_gradient_buffer_bytes(product_) + 63) / 64 * 64;
    sums_ = layout_.take(static_cast<std::size_t>(parts_ * part_sums_) * sizeof(float));
    buffers_ = layout_.take(static_cast<std::size_t>(parts_) * buffer_bytes_);
    context.scratch.reserve(layout_.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    product_.src = inputs[0];
    product_.grad = inputs[1];
    const Geometry& g = product_.geometry;
    const std::int64_t rows = g.n * g.oh, depth = g.depth();
    std::byte* scratch = context_.scratch.data();
    auto* sums = reinterpret_cast<float*>(scratch + sums_);
    auto* dst = static_cast<float*>(outputs[0]);
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t part = 0; part < parts_; ++part) {
      multiply(product_, {.row = part * rows / parts_,
                          .row_end = (part + 1) * rows / parts_,
                          .sums = sums + part * part_sums_,
                          .buffer = scratch + buffers_ + static_cast<std::size_t>(part) * buffer_bytes_});
    }
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t k = 0; k < depth; ++k) collect_direct_gradient(g, sums, parts_, k, dst);
  }

  const char* kind() const override { return "conv2d backward weights"; }
  std::string implementation() const override { return fmt::format("own direct f32 {}", gradient_target()); }

 private:
  Context& context_;
  DirectGradient product_;
  std::int64_t parts_ = 1, part_sums_ = 0;
  ScratchLayout layout_;
  std::size_t sums_ = 0, buffers_ = 0, buffer_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_direct_grad_weights(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<DirectGradWeights>(graph, node, context);
}

}  // namespace qfw::cpu
