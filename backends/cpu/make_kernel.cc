#include "make_kernel.h"

#include <fmt/format.h>

#include <algorithm>

#include "fused/kernel.h"

namespace qfw::cpu {
namespace {

class Fused final : public Kernel {
 public:
  Fused(const Graph& graph, const FusedGroup& group, int threads) : kernel_(graph, group, threads) {
    const bool reduces = std::any_of(group.nodes.begin(), group.nodes.end(),
                                     [&](int node) { return class_of(graph.nodes[node].op) == OpClass::reduction; });
    kind_ = reduces ? "fused reduction" : "fused elementwise";
  }

  const char* kind() const override { return kind_; }
  bool in_place(int input, int output) const override { return kernel_.may_overwrite(input, output); }
  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    kernel_.run(inputs, outputs);
  }

 private:
  FusedKernel kernel_;
  const char* kind_;
};

class Matmul final : public Kernel {
 public:
  explicit Matmul(std::unique_ptr<MatmulKernel> kernel) : kernel_(std::move(kernel)) {}

  const char* kind() const override { return kernel_->kind(); }
  std::string implementation() const override { return kernel_->implementation(); }
  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    kernel_->run(inputs, outputs[0]);
  }

 private:
  std::unique_ptr<MatmulKernel> kernel_;
};

std::unique_ptr<Kernel> make_node_kernel(const Graph& graph, int number, Session& session, Communicator& replicas) {
  const Node& node = graph.nodes[number];
  switch (node.op) {
    case Op::conv2d:
    case Op::conv2d_grad_src:
    case Op::conv2d_grad_weights:
    case Op::dense:
    case Op::max_pool:
    case Op::max_pool_grad:
      return std::make_unique<Matmul>(make_matmul(graph, node, session.matmuls));
    case Op::transpose:
      return make_transpose(graph, node, session.threads);
    case Op::broadcast_to:
      return make_broadcast(graph, node, session.threads);
    case Op::random_uniform:
      return make_random_uniform(node, session.threads);
    case Op::all_reduce: {
      const std::size_t count = static_cast<std::size_t>(node.outputs[0].shape.count());
      return make_all_reduce({&count, 1}, node.as<Across>(), replicas);
    }
    default:
      break;
  }
  const OpClass op_class = class_of(node.op);
  if (op_class == OpClass::elementwise || op_class == OpClass::reduction) {
    return std::make_unique<Fused>(graph, group_of(graph, number), session.threads);
  }
  return make_reference(graph, node);
}

}  // namespace

std::unique_ptr<Kernel> make_kernel(const Graph& graph, const Task& task, Session& session, Communicator& replicas) {
  const auto copy = [&](const char* kind, Use use) { return make_copy(kind, graph.type(use).bytes(), session.threads); };
  switch (task.kind) {
    case Task::Kind::node:
      return make_node_kernel(graph, task.node, session, replicas);
    case Task::Kind::group:
      return std::make_unique<Fused>(graph, *task.group, session.threads);
    case Task::Kind::all_reduce: {
      std::vector<std::size_t> counts;
      for (const Use use : task.uses) counts.push_back(static_cast<std::size_t>(graph.type(use).shape.count()));
      return make_all_reduce(counts, graph.nodes[task.uses[0].node].as<Across>(), replicas);
    }
    case Task::Kind::fetch:
      return copy("copy of fetches", graph.fetches[task.index].use);
    case Task::Kind::save:
    case Task::Kind::store:
      return copy("copy of variables", graph.updates[task.index].second);
  }
  return nullptr;
}

std::string label_of(const Graph& graph, const Task& task) {
  const auto one = [&](int node) {
    return fmt::format("%{} {} {}", node, name_of(graph.nodes[node].op), graph.nodes[node].path);
  };
  switch (task.kind) {
    case Task::Kind::node:
      return one(task.node);
    case Task::Kind::all_reduce:
      return fmt::format("{} and {} more", one(task.node), task.uses.size() - 1);
    case Task::Kind::fetch:
      return graph.fetches[task.index].name;
    case Task::Kind::save:
    case Task::Kind::store:
      return graph.variables[graph.updates[task.index].first].name;
    case Task::Kind::group:
      break;
  }
  std::string ops;
  for (const int node : task.group->nodes)
    ops += fmt::format("{}%{} {}", ops.empty() ? "" : ", ", node, name_of(graph.nodes[node].op));
  return fmt::format("{} ({})", graph.nodes[task.group->nodes.back()].path, ops);
}

}  // namespace qfw::cpu
