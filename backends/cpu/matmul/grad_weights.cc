#include <fmt/format.h>

#include <algorithm>

#include "matmul/bf16_pairs.h"
#include "matmul/grad_weights_gemm.h"
#include "matmul/make.h"
#include "matmul/partial_sums.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

// Gradients up to this size are summed by several threads, each into its own; of greater ones each thread takes a part.
constexpr std::int64_t shared_elements = 1 << 17;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

class GradWeights final : public Kernel {
 public:
  GradWeights(const Graph& graph, const Node& node, Context& context) : context_(context) {
    product_.geometry = geometry_of(graph, node);
    product_.bf16 = graph.type(node.inputs[0]).dtype == DType::bf16;
    product_.pairs = product_.bf16 && has_bf16_pairs();
    const Geometry& g = product_.geometry;
    count_ = g.depth() * g.o;
    depth_tiles_ = ceil_div(g.depth(), gradient_tile);
    if (count_ <= shared_elements) {
      row_parts_ = std::clamp<std::int64_t>(g.rows() / 64, 1, context.threads);
    } else {
      depth_parts_ = std::min<std::int64_t>(depth_tiles_, context.threads);
    }
    buffer_bytes_ = (gradient_buffer_bytes(g) + 63) / 64 * 64;
    buffers_ = layout_.take(buffer_bytes_ * static_cast<std::size_t>(context.threads));
    sums_ = layout_.take(static_cast<std::size_t>((row_parts_ - 1) * count_) * sizeof(float));
    context.scratch.reserve(layout_.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    product_.src = inputs[0];
    product_.grad = inputs[1];
    const Geometry& g = product_.geometry;
    std::byte* scratch = context_.scratch.data();
    auto* dst = static_cast<float*>(outputs[0]);
    auto* sums = reinterpret_cast<float*>(scratch + sums_);
    const std::int64_t parts = row_parts_ * depth_parts_, blocks = parts * g.groups;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < blocks; ++i) {
      const std::int64_t row = i / g.groups / depth_parts_, depth = i / g.groups % depth_parts_;
      const GradientBlock block{
          .group = i % g.groups,
          .row = row * g.rows() / row_parts_,
          .row_end = (row + 1) * g.rows() / row_parts_,
          .k = depth * depth_tiles_ / depth_parts_ * gradient_tile,
          .k_end = std::min(g.depth(), (depth + 1) * depth_tiles_ / depth_parts_ * gradient_tile),
          .dst = row == 0 ? dst : sums + (row - 1) * count_,
          .buffer = scratch + buffers_ + buffer_bytes_ * static_cast<std::size_t>(thread_index()),
      };
      multiply(product_, block);
    }
    add_partial_sums(sums, row_parts_ - 1, count_, dst, context_.threads);
  }

  const char* kind() const override { return "conv2d backward weights"; }
  std::string implementation() const override {
    return product_.pairs ? "own bf16 pairs" : fmt::format("own f32 {}", gradient_target());
  }

 private:
  Context& context_;
  GradientProduct product_;
  std::int64_t count_ = 0, depth_tiles_ = 1, row_parts_ = 1, depth_parts_ = 1;
  ScratchLayout layout_;
  std::size_t buffers_ = 0, buffer_bytes_ = 0, sums_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_own_grad_weights(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<GradWeights>(graph, node, context);
}

}  // namespace qfw::cpu
