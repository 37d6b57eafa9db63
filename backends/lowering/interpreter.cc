#include "qfw/lowering/interpreter.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "qfw/denormals.h"
#include "qfw/error.h"
#include "qfw/lowering/constants.h"
#include "qfw/random.h"

namespace qfw::lowering {

namespace {

std::string place(const Node& node) { return node.path.empty() ? "at the root scope" : "layer " + node.path; }

void copy(const HostView& from, std::span<std::byte> to) {
  if (!to.empty()) std::memcpy(to.data(), from.bytes.data(), to.size());
}

}  // namespace

Interpreter::Interpreter(const Graph& graph, std::shared_ptr<Variables> variables, Communicator& replicas, std::string backend)
    : backend_(std::move(backend)),
      graph_(graph),
      variables_(std::move(variables)),
      exchange_(graph, backend_),
      replicas_(replicas) {
  slots_ = variables_->declare(graph_.variables);
  for (const Node& node : graph_.nodes) {
    if (node.op == Op::variable) read_.push_back(slots_[node.as<Slot>().index]);
  }
  plan();
  values_.resize(graph_.nodes.size());
  memory_.resize(graph_.nodes.size());
}

void Interpreter::plan() {
  const int count = static_cast<int>(graph_.nodes.size());
  std::vector<int> last_use(count);
  for (int i = 0; i < count; ++i) {
    last_use[i] = i;
    for (const Use& use : graph_.nodes[i].inputs) last_use[use.node] = i;
  }
  for (const Fetch& fetch : graph_.fetches) last_use[fetch.use.node] = count;
  for (const auto& [variable, use] : graph_.updates) last_use[use.node] = count;

  dies_after_.resize(count);
  std::int64_t live = 0;
  const auto bytes_of = [&](int node) {
    const Op op = graph_.nodes[node].op;
    std::int64_t bytes = 0;
    if (op == Op::input || op == Op::variable || op == Op::tensor) return bytes;  // views of memory that is there anyway
    for (const TensorType& type : graph_.nodes[node].outputs) bytes += static_cast<std::int64_t>(type.bytes());
    return bytes;
  };
  for (int i = 0; i < count; ++i) {
    if (last_use[i] < count) dies_after_[last_use[i]].push_back(i);
    live += bytes_of(i);
    arena_bytes_ = std::max(arena_bytes_, live);
    for (const int dead : dies_after_[i]) live -= bytes_of(dead);
  }
}

HostTensor Interpreter::allocate(int node, int output) {
  auto& buffers = memory_[node];
  const TensorType& type = graph_.nodes[node].outputs[output];
  buffers.resize(graph_.nodes[node].outputs.size());
  buffers[output].resize(type.bytes());
  return {type, buffers[output]};
}

void Interpreter::compute(int number) {
  const Node& node = graph_.nodes[number];
  const OpDefinition& rules = definition(node.op);
  if (rules.evaluate == nullptr) {
    fail(Error::Category::internal, backend_, std::string(rules.name) + " has no kernel", place(node),
         "expand the graph before compiling");
  }
  std::vector<HostView> inputs;
  for (const Use& use : node.inputs) inputs.push_back(view(use));
  std::vector<HostTensor> outputs;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) outputs.push_back(allocate(number, static_cast<int>(i)));
  try {
    rules.evaluate({node, inputs, outputs});
  } catch (const Error& error) {
    throw Error(error.category(), std::string(error.what()) + " (" + place(node) + ")");
  }
  values_[number].assign(outputs.begin(), outputs.end());
}

void Interpreter::evaluate(int number, const Step& step, std::span<const HostView> feeds) {
  const Node& node = graph_.nodes[number];
  auto& value = values_[number];
  switch (node.op) {
    case Op::input:
      value = {feeds[node.as<Slot>().index]};
      return;
    case Op::variable: {
      const Variables::Entry& stored = *slots_[node.as<Slot>().index];
      value = {HostView(stored.type, {stored.data, stored.type.bytes()})};
      return;
    }
    case Op::tensor: {
      const ConstantTensor& tensor = graph_.tensors[node.as<Slot>().index];
      value = {HostView(tensor.type, *tensor.bytes)};
      return;
    }
    case Op::constant: {
      const HostTensor out = allocate(number, 0);
      fill_constant(out.type, node.as<Number>().value, out.bytes.data());
      value = {out};
      return;
    }
    case Op::step: {
      const HostTensor out = allocate(number, 0);
      fill_constant(out.type, static_cast<double>(step.index), out.bytes.data());
      value = {out};
      return;
    }
    case Op::random_uniform: {
      const HostTensor out = allocate(number, 0);
      const auto elements = out.as<float>();
      for (std::size_t i = 0; i < elements.size(); ++i) {
        elements[i] = random_uniform_element(step.seed, step.index, node.as<Stream>().id, static_cast<std::int64_t>(i));
      }
      value = {out};
      return;
    }
    case Op::all_reduce: {
      const HostTensor out = allocate(number, 0);
      copy(view(node.inputs[0]), out.bytes);
      const bool mean = node.as<Across>() == Across::mean;
      replicas_.all_reduce(out.as<float>(), mean ? Communicator::Reduction::mean : Communicator::Reduction::sum);
      value = {out};
      return;
    }
    default:
      compute(number);
  }
}

void Interpreter::run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) {
  exchange_.check(feeds, fetches);
  require_written(read_);
  const FlushDenormals flush;
  intervals_.clear();
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    evaluate(i, step, feeds);
    if (profiling_) intervals_.push_back({begin, std::chrono::steady_clock::now()});
    for (const int dead : dies_after_[i]) memory_[dead] = {}, values_[dead] = {};
  }
  for (std::size_t i = 0; i < fetches.size(); ++i) copy(view(graph_.fetches[i].use), fetches[i].bytes);

  // Together: an update may be another variable's old value, so none is stored before all have been read.
  std::vector<std::vector<std::byte>> next;
  for (const auto& [variable, use] : graph_.updates) {
    const HostView value = view(use);
    next.emplace_back(value.bytes.begin(), value.bytes.end());
  }
  for (std::size_t i = 0; i < next.size(); ++i) {
    Variables::Entry& stored = *slots_[graph_.updates[i].first];
    std::ranges::copy(next[i], stored.data);
    stored.written = true;
  }
  for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i] = {}, values_[i] = {};
}

void Interpreter::profile(bool on) {
  profiling_ = on;
  intervals_.reserve(graph_.nodes.size());
}

std::vector<Executable::Task> Interpreter::tasks() const {
  std::vector<Task> tasks;
  for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
    const Node& node = graph_.nodes[i];
    std::size_t bytes = 0;
    if (class_of(node.op) != OpClass::source) {
      for (const Use use : node.inputs) bytes += graph_.type(use).bytes();
      for (const TensorType& type : node.outputs) bytes += type.bytes();
    }
    tasks.push_back({name_of(node.op), {}, {i}, static_cast<std::int64_t>(bytes)});
  }
  return tasks;
}

}  // namespace qfw::lowering
