#include "backend.h"

#include <fmt/format.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cstring>

#include "bandwidth.h"
#include "executable.h"
#include "fused/body.h"
#include "instruction_cap.h"
#include "matmul/matmul.h"
#include "peak.h"
#include "qfw/lowering/support.h"
#include "threads.h"

namespace qfw::cpu {

namespace {

/// Kernels are chosen with it, after the cap.
std::shared_ptr<Context> make_context() {
  follow_library_cap();
  return std::make_shared<Context>();
}

}  // namespace

CpuBackend::CpuBackend(const Options& options) : context_(make_context()) {
  context_->threads = options.threads;
  context_->body = options.groups == "compiled" ? &body_kinds().front() : &body_kinds().back();
  context_->winograd = options.winograd;
  if (options.threads > 0) return;
  const DefaultThreads chosen = default_threads();
  context_->threads = chosen.count;
  if (!chosen.why.empty()) why_so_many_ = " (" + chosen.why + ")";
}

std::string CpuBackend::describe() const {
  const std::int64_t targets = hwy::SupportedTargets();
  return fmt::format("cpu, {} thread{}{}, {}, Highway {}, passes: {}", context_->threads, context_->threads == 1 ? "" : "s",
                     why_so_many_, describe_matmul(), hwy::TargetName(targets & -targets), context_->body->name);
}

Backend::Peak CpuBackend::peak() const {
  std::call_once(measured_, [this] { peak_ = measure_peak(context_->threads); });
  return peak_;
}

double CpuBackend::bandwidth() const {
  std::call_once(bandwidth_measured_, [this] { bandwidth_ = measure_bandwidth(context_->threads); });
  return bandwidth_;
}

Backend::Support CpuBackend::supports(const Graph& graph, const Node& node) const {
  const auto is_f16 = [](const TensorType& type) { return type.dtype == DType::f16; };
  if (std::ranges::any_of(node.outputs, is_f16)) {
    return {false, "f16 is for GPUs without bf16; backend.compute = bf16 takes as much memory and needs no loss scale"};
  }
  return lowering::support_of(graph, node);
}

std::vector<std::string> CpuBackend::notes(const Graph& training) const {
  const auto taken = [&](const Node& node) { return by_winograd(training, node, *context_); };
  if (!context_->winograd || std::ranges::any_of(training.nodes, taken)) return {};
  return {
      "backend.winograd = true has no effect: no product of a training step is a 3x3 convolution of f32 with stride 1, without "
      "groups, between multiples of 16 channels"};
}

std::unique_ptr<Executable> CpuBackend::compile(const Graph& graph, Communicator& replicas) {
  return std::make_unique<CpuExecutable>(graph, context_, replicas);
}

void CpuBackend::read(std::string_view variable, HostTensor to) const {
  const lowering::Variables::Entry& entry = context_->variables.find(variable, to.type, to.bytes.size());
  std::memcpy(to.bytes.data(), entry.data, to.bytes.size());
}

void CpuBackend::write(std::string_view variable, HostView from) {
  lowering::Variables::Entry& entry = context_->variables.find(variable, from.type, from.bytes.size());
  std::memcpy(entry.data, from.bytes.data(), from.bytes.size());
  entry.written = true;
}

}  // namespace qfw::cpu
