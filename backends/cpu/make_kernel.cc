#include "make_kernel.h"

#include "fused/fused_kernel.h"
#include "matmul/matmul.h"

namespace qfw::cpu {
namespace {

std::unique_ptr<Kernel> make_node_kernel(const Graph& graph, int number, Context& context, Communicator& replicas) {
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
    case Op::all_reduce: {
      const std::size_t count = static_cast<std::size_t>(node.outputs[0].shape.count());
      return make_all_reduce({&count, 1}, node.as<Across>(), replicas);
    }
    default:
      break;
  }
  const OpClass op_class = class_of(node.op);
  if (op_class == OpClass::elementwise || op_class == OpClass::reduction) {
    return make_fused(graph, lowering::group_of(graph, number), context.threads);
  }
  return make_reference(graph, node);
}

}  // namespace

std::unique_ptr<Kernel> make_kernel(const Graph& graph, const lowering::Step& step, Context& context, Communicator& replicas) {
  using Kind = lowering::Step::Kind;
  const auto copy = [&](const char* kind, Use use) { return make_copy(kind, graph.type(use).bytes(), context.threads); };
  switch (step.kind) {
    case Kind::node:
      return make_node_kernel(graph, step.node, context, replicas);
    case Kind::group:
      return make_fused(graph, *step.group, context.threads);
    case Kind::all_reduce: {
      std::vector<std::size_t> counts;
      for (const Use use : step.uses) counts.push_back(static_cast<std::size_t>(graph.type(use).shape.count()));
      return make_all_reduce(counts, graph.nodes[step.uses[0].node].as<Across>(), replicas);
    }
    case Kind::fetch:
      return copy("copy of fetches", graph.fetches[step.index].use);
    case Kind::save:
    case Kind::store:
      return copy("copy of variables", graph.updates[step.index].second);
  }
  return nullptr;
}

}  // namespace qfw::cpu
