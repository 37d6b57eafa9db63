#include "backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "network.h"
#include "qfw/error.h"
#include "qfw/frozen_model.h"
#include "qfw/lowering/interpreter.h"
#include "qfw/lowering/places.h"
#include "qfw/onnx/read.h"
#include "qfw/onnx/write.h"
#include "qfw/op_definition.h"
#include "qfw/processors.h"
#include "qfw/regular_file.h"

namespace qfw::onnxruntime {
namespace {

std::string content_of(const std::string& file) { return RegularFile(file, "see that backend.model names a model").text(); }

onnx::Form form_of(const std::string& form, const Graph& graph) {
  if (form == "qdq") return onnx::Form::qdq;
  if (form == "float") return onnx::Form::floating;
  const bool integers = !graph.sites.empty() && std::ranges::all_of(graph.sites, &QuantizedSite::integer);
  return form == "exact" || integers ? onnx::Form::exact : onnx::Form::floating;
}

/// The bytes of a model of the network; its logits are the only output.
std::string model_of(const Graph& graph, const std::string& form) {
  FrozenModel model;
  model.graph = graph;
  model.graph.fetches.resize(1);
  return onnx::write(model, {}, {.form = form_of(form, graph)});
}

/// A model of another run or checkpoint gives logits, too, and nobody would notice. Nearly all constants differ then: scales,
/// factors, means. One that was altered in places is left to those who compare logits.
void refuse_other_run(const Graph& graph, const std::string& model, const std::string& file) {
  std::map<std::string, std::string_view> ours;
  for (const ConstantTensor& tensor : graph.tensors) {
    if (tensor.type.dtype == DType::f32)
      ours.emplace(tensor.name, std::string_view(reinterpret_cast<const char*>(tensor.bytes->data()), tensor.bytes->size()));
  }
  std::vector<std::string> other;
  std::size_t compared = 0;
  for (const auto& [name, bytes] : onnx::float_initializers(std::as_bytes(std::span(model)))) {
    const auto found = ours.find(name);
    if (found == ours.end() || found->second.size() != bytes.size()) continue;
    ++compared;
    if (found->second != bytes) other.push_back(name);
  }
  if (2 * other.size() <= compared) return;
  fail(Error::Category::usage, "onnxruntime",
       fmt::format("the model is of another run or checkpoint: {} of {} constants differ, {} first", other.size(), compared,
                   other.front()),
       file, "name a file that `qfw export` made of this run and checkpoint");
}

}  // namespace

OnnxRuntimeBackend::OnnxRuntimeBackend(const Options& options)
    : model_(options.model),
      form_(options.form),
      treatment_{.level = options.level,
                 .threads = options.threads > 0 ? static_cast<int>(options.threads) : usable_processors().threads()},
      runtime_(std::make_shared<const Runtime>(find_library(Surroundings::real(options.library)))),
      variables_(std::make_shared<lowering::Variables>(
          lowering::Target{}, [slabs = std::make_shared<std::vector<std::vector<std::byte>>>()](std::size_t bytes) {
            return slabs->emplace_back(bytes).data();
          })) {}

std::string OnnxRuntimeBackend::describe() const {
  return fmt::format("onnxruntime {} cpu, level {}, {} thread{}, {}{}", runtime_->version(), treatment_.level,
                     treatment_.threads, treatment_.threads == 1 ? "" : "s", runtime_->file(),
                     model_.empty() ? "" : ", model " + model_);
}

Backend::Support OnnxRuntimeBackend::supports(const Graph& graph, const Node& node) const {
  if (graph.training || !graph.updates.empty()) {
    return {false,
            "ONNX Runtime evaluates networks and trains none: train on cpu or cuda, then `qfw eval RUN "
            "--backend.name=onnxruntime`"};
  }
  const OpDefinition& rules = definition(node.op);
  if (rules.op_class == OpClass::composite) return {false, "expanded by the core"};
  if (node.op == Op::assign) return {false, "assign is removed by the core when it finishes a graph"};
  return {};
}

std::unique_ptr<Executable> OnnxRuntimeBackend::network(const Graph& graph) const {
  if (!model_.empty()) {
    const std::string model = content_of(model_);
    auto made =
        std::make_unique<Network>(graph, runtime_, model, treatment_, model_,
                                  "name a file that `qfw export` made of this run, with an opset that this version knows");
    const std::string found = made->session().metadata("qfw.form");
    if (found.empty()) {
      fail(Error::Category::usage, "onnxruntime", "the model has no metadata qfw.form, so `qfw export` did not write it",
           model_, "name a file that `qfw export` made of this run");
    }
    if (form_ != "auto" && found != form_) {
      fail(Error::Category::usage, "onnxruntime",
           fmt::format("backend.form = {} is asked for, and the model is of the form {}", form_, found), model_,
           "leave backend.form out, or name another model");
    }
    refuse_other_run(graph, model, model_);
    return made;
  }
  return std::make_unique<Network>(graph, runtime_, model_of(graph, form_), treatment_, "what was written of the network",
                                   "choose another form (backend.form), or a newer ONNX Runtime (backend.library)");
}

std::unique_ptr<Executable> OnnxRuntimeBackend::compile(const Graph& graph, Communicator& replicas) {
  if (is_network(graph)) return network(graph);
  return std::make_unique<lowering::Interpreter>(graph, variables_, replicas, "onnxruntime");
}

void OnnxRuntimeBackend::read(std::string_view variable, HostTensor to) const {
  const lowering::Variables::Entry& stored = variables_->find(variable, to.type, to.bytes.size());
  std::copy_n(stored.data, to.bytes.size(), to.bytes.data());
}

void OnnxRuntimeBackend::write(std::string_view variable, HostView from) {
  lowering::Variables::Entry& stored = variables_->find(variable, from.type, from.bytes.size());
  std::ranges::copy(from.bytes, stored.data);
  stored.written = true;
}

}  // namespace qfw::onnxruntime
