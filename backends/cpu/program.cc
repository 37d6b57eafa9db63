#include "program.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "make_kernel.h"
#include "session.h"
#include "tasks.h"

namespace qfw::cpu {
namespace {

using Home = Place::Home;

class Lowering {
 public:
  Lowering(const Graph& graph, Session& session, Communicator& replicas)
      : graph_(graph), session_(session), replicas_(replicas), list_(list_tasks(graph, replicas.size() == 1)) {}

  Program run() {
    make_kernels();
    find_lives();
    place_sources();
    place_next_values();
    place_in_arena();
    emit();
    return std::move(program_);
  }

 private:
  static constexpr int unplaced = -1;

  struct Tensor {
    std::size_t bytes = 0;
    int first = unplaced, last = unplaced;  ///< the task that writes it (none for sources), the last that reads it
    bool placed = false;
    Place place;
    int block = unplaced;
  };

  void make_kernels() {
    kernels_.reserve(list_.tasks.size());
    for (const Task& task : list_.tasks) kernels_.push_back(make_kernel(graph_, task, session_, replicas_));
  }

  void find_lives() {
    tensors_.resize(list_.values);
    for (int node = 0; node < static_cast<int>(graph_.nodes.size()); ++node) {
      for (std::size_t o = 0; o < graph_.nodes[node].outputs.size(); ++o) {
        tensors_[list_.first_value[node] + o].bytes = graph_.nodes[node].outputs[o].bytes();
      }
    }
    for (int t = 0; t < static_cast<int>(list_.tasks.size()); ++t) {
      const Task& task = list_.tasks[t];
      if (task.kind == Task::Kind::save) tensors_[task.writes[0]].bytes = tensors_[task.reads[0]].bytes;
      for (const int value : task.reads) tensors_[value].last = t;
      for (const int value : task.writes) {
        tensors_[value].last = t;
        if (tensors_[value].first == unplaced) tensors_[value].first = t;
      }
    }
  }

  void place_sources() {
    std::size_t constant_bytes = 0;
    std::vector<int> constants;
    std::vector<bool> read(graph_.variables.size(), false);
    for (int value = 0; value < list_.values; ++value) {
      Tensor& tensor = tensors_[value];
      if (list_.node_of[value] < 0 || tensor.last == unplaced) continue;
      const Node& node = graph_.nodes[list_.node_of[value]];
      switch (node.op) {
        case Op::input:
          tensor.place = {Home::feed, node.as<Slot>().index};
          break;
        case Op::variable:
          tensor.place = {Home::variable, node.as<Slot>().index};
          read[tensor.place.index] = true;
          break;
        case Op::tensor:
          tensor.place = {Home::tensor, node.as<Slot>().index};
          break;
        case Op::step:
          tensor.place = {Home::step};
          break;
        case Op::constant:
          if (tensor.first != unplaced) continue;  // written by a group
          tensor.place = {Home::constant, 0, constant_bytes};
          constant_bytes += aligned(tensor.bytes);
          constants.push_back(value);
          break;
        default:
          continue;
      }
      tensor.placed = true;
    }
    program_.tensors = graph_.tensors;
    program_.constants = Pages(constant_bytes);
    for (const int value : constants) {
      const Node& node = graph_.nodes[list_.node_of[value]];
      fill_constant(node.outputs[0], node.as<Number>().value, program_.constants.data() + tensors_[value].place.offset);
    }
    for (int v = 0; v < static_cast<int>(read.size()); ++v) {
      if (read[v]) program_.variables_read.push_back(v);
    }
  }

  /// A variable's next value is written over the old one where nothing reads that afterwards; else it is copied at the end.
  void place_next_values() {
    std::vector<int> last_read(graph_.variables.size(), unplaced);
    for (int t = 0; t < static_cast<int>(list_.tasks.size()); ++t) {
      for (const int value : list_.tasks[t].reads) {
        const Tensor& tensor = tensors_[value];
        if (tensor.placed && tensor.place.home == Home::variable) last_read[tensor.place.index] = t;
      }
    }
    for (int t = 0; t < static_cast<int>(list_.tasks.size()); ++t) {
      const Task& task = list_.tasks[t];
      if (task.kind != Task::Kind::store) continue;
      const int variable = graph_.updates[task.index].first;
      program_.variables_written.push_back(variable);
      Tensor& tensor = tensors_[task.reads[0]];
      if (tensor.placed || tensor.first == unplaced || last_read[variable] > tensor.first) continue;
      if (last_read[variable] == tensor.first && !may_overwrite(tensor.first, task.reads[0], [&](const Tensor& input) {
            return input.placed && input.place.home == Home::variable && input.place.index == variable;
          })) {
        continue;
      }
      tensor.place = {Home::variable, variable};
      tensor.placed = true;
    }
    std::sort(program_.variables_written.begin(), program_.variables_written.end());
  }

  /// Whether the task may write `value` where every input that satisfies `there` lies.
  template <class There>
  bool may_overwrite(int t, int value, const There& there) const {
    const Task& task = list_.tasks[t];
    for (int o = 0; o < static_cast<int>(task.writes.size()); ++o) {
      if (task.writes[o] != value) continue;
      for (int i = 0; i < static_cast<int>(task.reads.size()); ++i) {
        if (there(tensors_[task.reads[i]]) && !kernels_[t]->in_place(i, o)) return false;
      }
    }
    return true;
  }

  void place_in_arena() {
    for (int t = 0; t < static_cast<int>(list_.tasks.size()); ++t) {
      const Task& task = list_.tasks[t];
      for (const int value : task.writes) {
        Tensor& tensor = tensors_[value];
        if (tensor.placed) continue;
        tensor.placed = true;
        program_.tensor_bytes += tensor.bytes;
        for (const int input : task.reads) {  // over an input that is read here for the last time
          const Tensor& other = tensors_[input];
          if (other.block == unplaced || other.bytes != tensor.bytes || blocks_[other.block].last != t) continue;
          if (!may_overwrite(t, value, [&](const Tensor& read) { return read.block == other.block; })) continue;
          tensor.block = other.block;
          blocks_[tensor.block].last = std::max(t, tensor.last);
          if (tensor.last == t) tensor.block = unplaced;  // nobody reads it: two such outputs must not meet
          break;
        }
        if (tensor.block != unplaced) continue;
        tensor.block = static_cast<int>(blocks_.size());
        blocks_.push_back({.bytes = tensor.bytes, .first = t, .last = std::max(t, tensor.last)});
      }
    }
    program_.arena_bytes = plan_memory(blocks_);
    for (Tensor& tensor : tensors_) {
      if (tensor.block != unplaced) tensor.place = {Home::arena, 0, blocks_[tensor.block].offset};
    }
  }

  void emit() {
    for (int t = 0; t < static_cast<int>(list_.tasks.size()); ++t) {
      const Task& task = list_.tasks[t];
      Instruction instruction{.kernel = std::move(kernels_[t]), .label = label_of(graph_, task)};
      for (const int value : task.reads) instruction.inputs.push_back(tensors_[value].place);
      for (const int value : task.writes) instruction.outputs.push_back(tensors_[value].place);
      if (task.kind == Task::Kind::fetch) instruction.outputs.push_back({Home::fetch, task.index});
      if (task.kind == Task::Kind::store) {
        const Place target{Home::variable, graph_.updates[task.index].first};
        if (instruction.inputs[0] == target) continue;  // it is there
        instruction.outputs.push_back(target);
      }
      program_.instructions.push_back(std::move(instruction));
    }
  }

  const Graph& graph_;
  Session& session_;
  Communicator& replicas_;
  TaskList list_;
  std::vector<std::unique_ptr<Kernel>> kernels_;  ///< of each task
  std::vector<Tensor> tensors_;                   ///< by value
  std::vector<Block> blocks_;
  Program program_;
};

}  // namespace

std::string Place::str() const {
  switch (home) {
    case Home::arena:
      return fmt::format("@{:#x}", offset);
    case Home::variable:
      return fmt::format("variable {}", index);
    case Home::feed:
      return fmt::format("feed {}", index);
    case Home::fetch:
      return fmt::format("fetch {}", index);
    case Home::constant:
      return fmt::format("constant {:#x}", offset);
    case Home::tensor:
      return fmt::format("tensor {}", index);
    case Home::step:
      return "step";
  }
  return {};
}

std::string Program::str() const {
  std::string text = fmt::format("{} instructions, arena {:.1f} MB for tensors of {:.1f} MB, constants {} bytes\n",
                                 instructions.size(), arena_bytes / 1048576.0, tensor_bytes / 1048576.0, constants.bytes());
  const auto places = [](const std::vector<Place>& list) {
    std::string joined;
    for (const Place& place : list) joined += (joined.empty() ? "" : ", ") + place.str();
    return joined;
  };
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const Instruction& it = instructions[i];
    const std::string way = it.kernel->implementation();
    text += fmt::format("{:5} {}{}: {} -> {}  # {}\n", i, it.kernel->kind(), way.empty() ? "" : " [" + way + "]",
                        places(it.inputs), places(it.outputs), it.label);
  }
  return text;
}

Program lower(const Graph& graph, Session& session, Communicator& replicas) { return Lowering(graph, session, replicas).run(); }

}  // namespace qfw::cpu
