#include "backend.h"

#include <fmt/format.h>
#include <hwy/targets.h>

#include "executable.h"
#include "qfw/op_definition.h"
#include "threads.h"

namespace qfw::cpu {

CpuBackend::CpuBackend(const Options& options) : session_(std::make_shared<Session>()) {
  session_->threads = session_->matmuls.threads = options.threads > 0 ? options.threads : default_threads();
}

std::string CpuBackend::describe() const {
  const std::int64_t targets = hwy::SupportedTargets();
  return fmt::format("cpu, {} thread{}, {}, Highway {}", session_->threads, session_->threads == 1 ? "" : "s",
                     describe_matmul(), hwy::TargetName(targets & -targets));
}

Backend::Support CpuBackend::supports(const Graph& graph, const Node& node) const {
  const OpDefinition& rules = definition(node.op);
  if (rules.op_class == OpClass::composite) return {false, "expanded by the core"};
  if (node.op == Op::all_reduce && graph.type(node.inputs[0]).dtype != DType::f32) {
    return {false, fmt::format("all_reduce sums f32, this is {}; cast it first", graph.type(node.inputs[0]).str())};
  }
  if (rules.op_class != OpClass::source && node.op != Op::all_reduce && rules.evaluate == nullptr) {
    return {false, fmt::format("{} has no meaning at run time; finish the graph first", rules.name)};
  }
  return {};
}

std::unique_ptr<Executable> CpuBackend::compile(const Graph& graph, Communicator& replicas) {
  return std::make_unique<CpuExecutable>(graph, session_, replicas);
}

void CpuBackend::read(std::string_view variable, HostTensor to) const { session_->variables.read(variable, to); }

void CpuBackend::write(std::string_view variable, HostView from) { session_->variables.write(variable, from); }

}  // namespace qfw::cpu
