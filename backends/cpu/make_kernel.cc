#include "make_kernel.h"

#include "fused/fused_kernel.h"
#include "matmul/matmul.h"
#include "reduction.h"
#include "riding.h"

namespace qfw::cpu {
namespace {

std::unique_ptr<Kernel> make_node_kernel(const Graph& graph, int number, Context& context) {
  const Node& node = graph.nodes[number];
  switch (node.op) {
    case Op::conv2d:
    case Op::conv2d_grad_src:
    case Op::conv2d_grad_weights:
    case Op::dense:
    case Op::max_pool:
    case Op::max_pool_grad:
      return make_matmul(graph, node, context);
    case Op::transpose:
      return make_transpose(graph, node, context.threads);
    case Op::broadcast_to:
      return make_broadcast(graph, node, context.threads);
    case Op::random_uniform:
      return make_random_uniform(node, context.threads);
    default:
      break;
  }
  const OpClass op_class = class_of(node.op);
  if (op_class == OpClass::elementwise || op_class == OpClass::reduction) {
    return make_fused(graph, lowering::group_of(graph, number), context.threads, *context.body);
  }
  return make_reference(graph, node);
}

class Maker {
 public:
  Maker(const Graph& graph, const lowering::StepList& list, Context& context, Communicator& replicas)
      : graph_(graph), context_(context), replicas_(replicas), reductions_(static_cast<std::size_t>(list.reductions)) {}

  std::unique_ptr<Kernel> kernel(const lowering::Step& step) {
    using Kind = lowering::Step::Kind;
    switch (step.kind) {
      case Kind::node:
        return make_node_kernel(graph_, step.node, context_);
      case Kind::group:
        if (step.node >= 0) return make_riding(graph_, step.node, *step.group, context_);
        return make_fused(graph_, *step.group, context_.threads, *context_.body);
      case Kind::reduce_start: {
        std::vector<std::size_t> counts;
        for (const Use use : step.uses) counts.push_back(static_cast<std::size_t>(graph_.type(use).shape.count()));
        reductions_[step.index] = std::make_shared<Reduction>(counts, graph_.nodes[step.node].as<Across>(), replicas_);
        return make_reduce_start(reductions_[step.index]);
      }
      case Kind::reduce_wait:
        return make_reduce_wait(reductions_[step.index]);
      case Kind::fetch:
        return copy("copy of fetches", graph_.fetches[step.index].use);
      case Kind::save:
      case Kind::store:
        return copy("copy of variables", graph_.updates[step.index].second);
    }
    return nullptr;
  }

 private:
  std::unique_ptr<Kernel> copy(const char* kind, Use use) const {
    return make_copy(kind, graph_.type(use).bytes(), context_.threads);
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

}  // namespace qfw::cpu
