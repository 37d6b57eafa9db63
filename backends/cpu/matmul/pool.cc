#include <fmt/format.h>

#include <limits>

#include "matmul/integer_gemm.h"
#include "matmul/make.h"
#include "matmul/pool_rows.h"
#include "qfw/error.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

PoolGeometry geometry(const Shape& x, const Shape& dst, const Node& node) {
  const auto& pool = node.as<Pool>();
  if (pool.window[0] * pool.window[1] > std::numeric_limits<std::uint16_t>::max()) {
    fail(Error::Category::graph, "cpu",
         fmt::format("{} takes windows of at most 65535 elements, this one is {}x{}", name_of(node.op), pool.window[0],
                     pool.window[1]),
         node.path, "use reduce_max over the whole image");
  }
  return {x[0], x[1], x[2], x[3], dst[1], dst[2], pool};
}

class MaxPool final : public Kernel {
 public:
  MaxPool(const Graph& graph, const Node& node, Context& context)
      : context_(context),
        g_(geometry(graph.type(node.inputs[0]).shape, node.outputs[0].shape, node)),
        bf16_(graph.type(node.inputs[0]).dtype == DType::bf16) {}

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    const std::int64_t rows = g_.n * g_.oh;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < rows; ++i) pool_row(g_, bf16_, inputs[0], i / g_.oh, i % g_.oh, outputs[0], nullptr);
  }

  const char* kind() const override { return "max pool"; }
  std::string implementation() const override { return fmt::format("own {}", integer_target()); }

 private:
  Context& context_;
  PoolGeometry g_;
  bool bf16_;
};

class MaxPoolGrad final : public Kernel {
 public:
  MaxPoolGrad(const Graph& graph, const Node& node, Context& context)
      : context_(context),
        g_(geometry(graph.type(node.inputs[0]).shape, graph.type(node.inputs[1]).shape, node)),
        bf16_(graph.type(node.inputs[0]).dtype == DType::bf16) {
    ScratchLayout layout;
    winners_ = layout.take(static_cast<std::size_t>(g_.n * g_.oh * g_.ow * g_.c) * sizeof(std::uint16_t));
    context.scratch.reserve(layout.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    auto* winners = reinterpret_cast<std::uint16_t*>(context_.scratch.data() + winners_);
    const std::int64_t results = g_.n * g_.oh, rows = g_.n * g_.h;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < results; ++i) pool_row(g_, bf16_, inputs[0], i / g_.oh, i % g_.oh, nullptr, winners);
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < rows; ++i) pool_grad_row(g_, bf16_, inputs[1], winners, i / g_.h, i % g_.h, outputs[0]);
  }

  const char* kind() const override { return "max pool backward"; }
  std::string implementation() const override { return fmt::format("own {}", integer_target()); }

 private:
  Context& context_;
  PoolGeometry g_;
  bool bf16_;
  std::size_t winners_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_max_pool(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<MaxPool>(graph, node, context);
}
std::unique_ptr<Kernel> make_max_pool_grad(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<MaxPoolGrad>(graph, node, context);
}

}  // namespace qfw::cpu
