#include "make_kernel.h"

#include <cstddef>

#include "group_kernel.h"
#include "moves.h"
#include "pool.h"
#include "product_kernel.h"
#include "qfw/error.h"
#include "random.h"
#include "reduction.h"
#include "riding_kernel.h"

namespace qfw::cuda {
namespace {

class CopyKernel final : public Kernel {
 public:
  CopyKernel(const char* kind, std::size_t bytes, Device& device) : kind_(kind), bytes_(bytes), device_(device) {}

  const char* kind() const override { return kind_; }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address) override {
    if (inputs[0] != outputs[0]) device_.copy(Stream::compute, outputs[0], inputs[0], bytes_);
  }

 private:
  const char* kind_;
  std::size_t bytes_;
  Device& device_;
};

class Maker {
 public:
  Maker(const Graph& graph, const lowering::StepList& list, Context& context, Communicator& replicas)
      : graph_(graph), context_(context), replicas_(replicas), reductions_(static_cast<std::size_t>(list.reductions)) {}

  std::unique_ptr<Kernel> kernel(const lowering::Step& step) try {
    using Kind = lowering::Step::Kind;
    switch (step.kind) {
      case Kind::node:
        return node_kernel(step.node);
      case Kind::group:
        if (step.node >= 0) return make_riding(graph_, step.node, *step.group, context_);
        return make_group(graph_, *step.group, context_);
      case Kind::reduce_start: {
        std::vector<std::size_t> counts;
        for (const Use use : step.uses) counts.push_back(static_cast<std::size_t>(graph_.type(use).shape.count()));
        auto& reduction = reductions_[static_cast<std::size_t>(step.index)];
        reduction = std::make_shared<Reduction>(counts, graph_.nodes[step.node].as<Across>(), replicas_, context_);
        return make_reduce_start(reduction);
      }
      case Kind::reduce_wait:
        return make_reduce_wait(reductions_[static_cast<std::size_t>(step.index)]);
      case Kind::fetch:
        return copy("copy of fetches", graph_.fetches[step.index].use);
      case Kind::save:
      case Kind::store:
        return copy("copy of variables", graph_.updates[step.index].second);
    }
    return nullptr;
  } catch (const Error& error) {
    throw Error(error.category(), std::string(error.what()) + " (" + lowering::label_of(graph_, step) + ")");
  }

 private:
  std::unique_ptr<Kernel> node_kernel(int number) const {
    const Node& node = graph_.nodes[number];
    Loader& loader = context_.loader();
    const auto type = [&](std::size_t input) -> const TensorType& { return graph_.type(node.inputs[input]); };
    switch (node.op) {
      case Op::conv2d:
      case Op::conv2d_grad_src:
      case Op::conv2d_grad_weights:
      case Op::dense:
        if (is_float(type(0).dtype)) return make_float_product(graph_, node, context_);
        return make_integer_product(graph_, node, context_);
      case Op::max_pool:
        return std::make_unique<MaxPool>(loader, type(0), node.outputs[0], node.as<Pool>());
      case Op::max_pool_grad:
        return std::make_unique<MaxPoolGrad>(loader, type(0), type(1), node.as<Pool>());
      case Op::transpose:
        return std::make_unique<Transpose>(loader, type(0), node.as<Axes>().swap);
      case Op::broadcast_to:
        return std::make_unique<Broadcast>(loader, type(0), node.outputs[0].shape);
      case Op::random_uniform:
        static_assert(offsetof(StepData, seed) == offsetof(device::RandomState, seed) &&
                      offsetof(StepData, index) == offsetof(device::RandomState, step));
        return std::make_unique<RandomUniform>(loader, node.outputs[0], node.as<qfw::Stream>().id, context_.step());
      default:
        return make_group(graph_, lowering::group_of(graph_, number), context_);
    }
  }

  std::unique_ptr<Kernel> copy(const char* kind, Use use) const {
    return std::make_unique<CopyKernel>(kind, graph_.type(use).bytes(), context_.device());
  }

  const Graph& graph_;
  Context& context_;
  Communicator& replicas_;
  std::vector<std::shared_ptr<Reduction>> reductions_;  ///< by number; start and wait share one
};

}  // namespace

std::vector<std::unique_ptr<Kernel>> make_kernels(const Graph& graph, const lowering::StepList& list, Context& context,
                                                  Communicator& replicas) {
  Maker maker(graph, list, context, replicas);
  std::vector<std::unique_ptr<Kernel>> kernels;
  kernels.reserve(list.steps.size());
  for (const lowering::Step& step : list.steps) kernels.push_back(maker.kernel(step));
  return kernels;
}

}  // namespace qfw::cuda
