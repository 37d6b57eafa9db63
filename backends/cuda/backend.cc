#include "backend.h"

#include <fmt/format.h>

#include <algorithm>

#include "executable.h"
#include "peak.h"
#include "qfw/lowering/support.h"

namespace qfw::cuda {
namespace {

Launching launching_of(const std::string& word) {
  if (word == "checked") return Launching::checked;
  return word == "direct" ? Launching::direct : Launching::recorded;
}

}  // namespace

CudaBackend::CudaBackend(const Options& options, const Open& open)
    : tf32_(options.tf32),
      bf16_weight_gradients_(options.bf16_weight_gradients),
      context_(std::make_shared<Context>(open(options), launching_of(options.launch))) {}

std::string CudaBackend::describe() const {
  const Device::Properties& device = context_->device().properties();
  return fmt::format("cuda, {}, sm_{}, {} multiprocessors, {:.0f} GiB, {}", device.name, device.architecture,
                     device.multiprocessors, static_cast<double>(device.memory_bytes) / (1 << 30), device.versions);
}

Backend::Peak CudaBackend::peak() const { return peak_of(context_->device().properties()); }

Backend::Support CudaBackend::supports(const Graph& graph, const Node& node) const { return lowering::support_of(graph, node); }

std::vector<std::string> CudaBackend::notes(const Graph& training) const {
  const auto multiplies = [&](DType type, std::initializer_list<Op> ops) {
    return std::ranges::any_of(training.nodes, [&](const Node& node) {
      return std::ranges::find(ops, node.op) != ops.end() && training.type(node.inputs[0]).dtype == type;
    });
  };
  std::vector<std::string> notes;
  if (tf32_ && !multiplies(DType::f32, {Op::conv2d, Op::conv2d_grad_src, Op::conv2d_grad_weights, Op::dense})) {
    notes.emplace_back("backend.tf32 = true has no effect: no product of a training step is of f32");
  }
  if (bf16_weight_gradients_ && !multiplies(DType::bf16, {Op::conv2d_grad_weights})) {
    notes.emplace_back("backend.bf16_weight_gradients = true has no effect: no gradient of a convolution's weights is of bf16");
  }
  return notes;
}

std::unique_ptr<Executable> CudaBackend::compile(const Graph& graph, Communicator& replicas) {
  return std::make_unique<CudaExecutable>(graph, context_, replicas);
}

void CudaBackend::read(std::string_view variable, HostTensor to) const {
  const lowering::Variables::Entry& entry = context_->variables().find(variable, to.type, to.bytes.size());
  context_->device().copy_out(Stream::compute, to.bytes.data(), entry.data, to.bytes.size());
  context_->device().synchronize(Stream::compute);
}

void CudaBackend::write(std::string_view variable, HostView from) {
  lowering::Variables::Entry& entry = context_->variables().find(variable, from.type, from.bytes.size());
  context_->write(entry.data, from.bytes);
  entry.written = true;
}

}  // namespace qfw::cuda
