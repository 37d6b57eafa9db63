// A backend outside the tree on qfw::lowering: the steps, groups and places that every backend gets, carried out as plainly as
// can be. A group's values are whole tensors, made one after the other by the ops' reference kernels.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>

#include "qfw/backend.h"
#include "qfw/denormals.h"
#include "qfw/error.h"
#include "qfw/lowering/constants.h"
#include "qfw/lowering/exchange.h"
#include "qfw/lowering/plan.h"
#include "qfw/lowering/program.h"
#include "qfw/lowering/tasks.h"
#include "qfw/lowering/variables.h"
#include "qfw/op_definition.h"
#include "qfw/plugin.h"
#include "qfw/random.h"

namespace {

using namespace qfw;
using lowering::FusedProgram;
using lowering::Place;
using Bytes = std::vector<std::byte>;

struct Memory {
  std::vector<Bytes> slabs;
  lowering::Target target;
  lowering::Variables variables{target, [this](std::size_t bytes) { return slabs.emplace_back(bytes).data(); }};
};

/// One tensor for each value of a program, over its whole space.
class Group {
 public:
  explicit Group(FusedProgram program) : program_(std::move(program)) {}

  void run(std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) const {
    const std::int64_t count = program_.space.count();
    std::vector<Bytes> values;
    for (const FusedProgram::Value& value : program_.values) {
      const TensorType type{{count}, value.dtype};
      const HostTensor out{type, values.emplace_back(type.bytes())};
      switch (value.kind) {
        case FusedProgram::Value::Kind::number:
          lowering::fill_constant(out.type, value.number, out.bytes.data());
          break;
        case FusedProgram::Value::Kind::load: {
          const FusedProgram::Load& load = program_.loads[value.load];
          const std::size_t size = size_of(load.dtype);
          for (std::int64_t i = 0; i < count; ++i) {
            std::memcpy(out.bytes.data() + i * size, inputs[load.input] + at(i, load.strides) * size, size);
          }
          break;
        }
        case FusedProgram::Value::Kind::compute:
          compute(value, values, out);
      }
    }
    for (const FusedProgram::Reduction& reduction : program_.reductions) reduce(reduction, values[reduction.value], outputs);
    for (const FusedProgram::Store& store : program_.stores) {
      std::ranges::copy(values[store.value], outputs[store.output]);
    }
  }

 private:
  std::int64_t at(std::int64_t index, const lowering::Strides& strides) const {
    std::int64_t offset = 0;
    for (std::size_t axis = program_.space.extents.size(); axis-- > 0; index /= program_.space.extents[axis]) {
      offset += index % program_.space.extents[axis] * strides[axis];
    }
    return offset;
  }

  void compute(const FusedProgram::Value& value, const std::vector<Bytes>& values, const HostTensor& out) const {
    Node node{.op = value.op, .inputs = {}, .attributes = {}, .outputs = {out.type}, .path = {}};
    if (value.op == Op::cast) node.attributes = value.dtype;
    std::vector<HostView> operands;
    for (const int arg : value.args) {
      if (arg >= 0) operands.emplace_back(TensorType{out.type.shape, program_.values[arg].dtype}, values[arg]);
    }
    definition(value.op).evaluate({node, operands, {&out, 1}});
  }

  /// In double and index order, moments around their first element, whatever the graph allows.
  void reduce(const FusedProgram::Reduction& reduction, const Bytes& bytes, std::span<std::byte* const> outputs) const {
    using Kind = FusedProgram::Reduction::Kind;
    const DType dtype = program_.values[reduction.value].dtype;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    struct Sums {
      double sum, squares = 0, pivot = 0;
      bool first = true;
    };
    const double start = reduction.kind == Kind::max ? -infinity : reduction.kind == Kind::min ? infinity : 0;
    std::vector<Sums> all(static_cast<std::size_t>(reduction.results), Sums{start});
    for (std::int64_t i = 0; i < program_.space.count(); ++i) {
      float x;
      if (dtype == DType::bf16) {
        BFloat16 narrow;
        std::memcpy(&narrow, bytes.data() + 2 * i, 2);
        x = static_cast<float>(narrow);
      } else if (dtype == DType::f16) {
        Float16 narrow;
        std::memcpy(&narrow, bytes.data() + 2 * i, 2);
        x = static_cast<float>(narrow);
      } else {
        std::memcpy(&x, bytes.data() + 4 * i, 4);
      }
      Sums& to = all[at(i, reduction.strides)];
      if (to.first && std::isfinite(x)) to.pivot = x;
      to.first = false;
      switch (reduction.kind) {
        case Kind::sum:
          to.sum += static_cast<double>(x);
          break;
        case Kind::max:
          if (!std::isnan(to.sum) && !(x <= to.sum)) to.sum = x;
          break;
        case Kind::min:
          if (!std::isnan(to.sum) && !(x >= to.sum)) to.sum = x;
          break;
        case Kind::moments: {
          const double apart = static_cast<double>(x) - to.pivot;
          to.sum += apart;
          to.squares += apart * apart;
        }
      }
    }
    const auto put = [&](int output, std::size_t i, double value) {
      const auto narrow = static_cast<float>(value);
      if (output >= 0) std::memcpy(outputs[output] + 4 * i, &narrow, 4);
    };
    const auto n = static_cast<double>(reduction.count);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto& [sum, squares, pivot, first] = all[i];
      put(reduction.output, i, reduction.kind == Kind::moments ? pivot + sum / n : sum);
      const double variance = (squares - sum * sum / n) / n;
      put(reduction.second_output, i, variance < 0 ? 0 : variance);
    }
  }

  FusedProgram program_;
};

class Plain final : public Executable {
 public:
  Plain(const Graph& graph, std::shared_ptr<Memory> memory, Communicator& replicas)
      : graph_(graph),
        memory_(std::move(memory)),
        replicas_(replicas),
        exchange_(graph_, "plain"),
        variables_(memory_->variables.declare(graph_.variables)),
        list_(lowering::list_steps(graph_, memory_->target, replicas.size() == 1)),
        plan_(lowering::place(graph_, list_, memory_->target, [](int, int, int) { return false; })),
        arena_(plan_.arena_bytes),
        constants_(plan_.constant_bytes),
        tickets_(static_cast<std::size_t>(list_.reductions)) {
    for (const auto& [node, offset] : plan_.constants) {
      const TensorType& type = graph_.nodes[node].outputs[0];
      lowering::fill_constant(type, graph_.nodes[node].as<Number>().value, constants_.data() + offset);
    }
    for (std::size_t i = 0; i < list_.steps.size(); ++i) {
      const lowering::Step& step = list_.steps[i];
      if (step.group != nullptr) groups_.emplace(static_cast<int>(i), Group(lowering::program_of(graph_, *step.group)));
    }
    for (const int variable : plan_.variables_read) read_.push_back(variables_[variable]);
  }

  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override {
    exchange_.check(feeds, fetches);
    lowering::require_written(read_);
    const FlushDenormals flush;
    const auto index = static_cast<float>(step.index);
    const auto resolve = [&](const Place& place) -> std::byte* {
      switch (place.home) {
        case Place::Home::arena:
          return arena_.data() + place.offset;
        case Place::Home::variable:
          return variables_[place.index]->data;
        case Place::Home::feed:
          return const_cast<std::byte*>(feeds[place.index].bytes.data());
        case Place::Home::fetch:
          return fetches[place.index].bytes.data();
        case Place::Home::constant:
          return constants_.data() + place.offset;
        case Place::Home::tensor:
          return const_cast<std::byte*>(graph_.tensors[place.index].bytes->data());
        case Place::Home::step:
          return reinterpret_cast<std::byte*>(const_cast<float*>(&index));
      }
      return nullptr;
    };
    intervals_.clear();
    for (const lowering::Plan::Placed& placed : plan_.steps) {
      std::vector<const std::byte*> inputs;
      std::vector<std::byte*> outputs;
      for (const Place& place : placed.inputs) inputs.push_back(resolve(place));
      for (const Place& place : placed.outputs) outputs.push_back(resolve(place));
      const auto begin = std::chrono::steady_clock::now();
      carry_out(placed.step, step, inputs, outputs);
      if (profiling_) intervals_.push_back({begin, std::chrono::steady_clock::now()});
    }
    for (const int variable : plan_.variables_written) variables_[variable]->written = true;
  }

  void profile(bool on) override { profiling_ = on; }
  std::vector<Task> tasks() const override {
    std::vector<Task> tasks = lowering::tasks_of(graph_, list_, plan_);
    for (Task& task : tasks) task.kind = task.nodes.size() == 1 ? name_of(graph_.nodes[task.nodes[0]].op) : "several";
    return tasks;
  }
  std::span<const Interval> intervals() const override { return intervals_; }
  std::int64_t arena_bytes() const override { return static_cast<std::int64_t>(arena_.size()); }

 private:
  void carry_out(int number, const Step& now, std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) {
    using Kind = lowering::Step::Kind;
    const lowering::Step& step = list_.steps[number];
    const auto copy = [&](std::size_t i, Use use) { std::copy_n(inputs[i], graph_.type(use).bytes(), outputs[i]); };
    switch (step.kind) {
      case Kind::node:
        return evaluate(graph_.nodes[step.node], now, inputs, outputs);
      case Kind::group:
        return groups_.at(number).run(inputs, outputs);
      case Kind::reduce_start: {
        const bool mean = graph_.nodes[step.node].as<Across>() == Across::mean;
        const auto how = mean ? Communicator::Reduction::mean : Communicator::Reduction::sum;
        for (std::size_t i = 0; i < step.uses.size(); ++i) {
          copy(i, step.uses[i]);
          const TensorType& type = graph_.type(step.uses[i]);
          tickets_[step.index].push_back(replicas_.start({type, {outputs[i], type.bytes()}}, how));
        }
        return;
      }
      case Kind::reduce_wait:
        for (const Communicator::Ticket ticket : tickets_[step.index]) replicas_.wait(ticket);
        return tickets_[step.index].clear();
      case Kind::fetch:
        return copy(0, graph_.fetches[step.index].use);
      case Kind::save:
      case Kind::store:
        return copy(0, graph_.updates[step.index].second);
    }
  }

  void evaluate(const Node& node, const Step& now, std::span<const std::byte* const> inputs,
                std::span<std::byte* const> outputs) const {
    std::vector<HostView> operands;
    std::vector<HostTensor> results;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const TensorType& type = graph_.type(node.inputs[i]);
      operands.emplace_back(type, std::span(inputs[i], type.bytes()));
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      results.push_back({node.outputs[i], {outputs[i], node.outputs[i].bytes()}});
    }
    if (node.op != Op::random_uniform) return definition(node.op).evaluate({node, operands, results});
    const auto elements = results[0].as<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      elements[i] = random_uniform_element(now.seed, now.index, node.as<Stream>().id, static_cast<std::int64_t>(i));
    }
  }

  Graph graph_;
  std::shared_ptr<Memory> memory_;
  Communicator& replicas_;
  lowering::Exchange exchange_;
  std::vector<lowering::Variables::Entry*> variables_;
  std::vector<const lowering::Variables::Entry*> read_;
  lowering::StepList list_;
  lowering::Plan plan_;
  Bytes arena_, constants_;
  std::map<int, Group> groups_;  ///< by step
  std::vector<std::vector<Communicator::Ticket>> tickets_;
  bool profiling_ = false;
  std::vector<Interval> intervals_;
};

class PlainBackend final : public Backend {
 public:
  struct Options {
    static void declare(Declare<Options>&) {}
  };
  explicit PlainBackend(const Options&) {}

  std::string describe() const override { return "plain: lowered like every backend, computed by reference kernels"; }
  int threads() const override { return 1; }
  Support supports(const Graph&, const Node& node) const override {
    if (class_of(node.op) == OpClass::composite) return {false, "expanded by the core"};
    return {};
  }
  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override {
    return std::make_unique<Plain>(graph, memory_, replicas);
  }
  void read(std::string_view variable, HostTensor to) const override {
    std::copy_n(memory_->variables.find(variable, to.type, to.bytes.size()).data, to.bytes.size(), to.bytes.data());
  }
  void write(std::string_view variable, HostView from) override {
    lowering::Variables::Entry& entry = memory_->variables.find(variable, from.type, from.bytes.size());
    std::ranges::copy(from.bytes, entry.data);
    entry.written = true;
  }

 private:
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
};

}  // namespace

QFW_PLUGIN("backend:plain", .name = "plain", .version = "1.0.0", .licence = "Apache-2.0",
           .description = "a backend outside the tree, on qfw::lowering")
(qfw::Registry& registry) { registry.add<PlainBackend>("plain", "groups value by value, nodes by reference kernels"); }
