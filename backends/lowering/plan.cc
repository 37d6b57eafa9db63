#include "qfw/lowering/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "qfw/lowering/memory_plan.h"

namespace qfw::lowering {
namespace {

using Home = Place::Home;

class Planner {
 public:
  Planner(const Graph& graph, const StepList& list, const Target& target, const InPlace& in_place)
      : graph_(graph), list_(list), target_(target), in_place_(in_place) {}

  Plan run() {
    find_lives();
    place_sources();
    place_next_values();
    place_in_arena();
    emit();
    return std::move(plan_);
  }

 private:
  static constexpr int none = -1;

  struct Tensor {
    std::size_t bytes = 0;
    int first = none, last = none;  ///< the step that writes it (none for sources), the last that reads it
    bool placed = false;
    Place place;
    int block = none;
  };

  int steps() const { return static_cast<int>(list_.steps.size()); }

  void find_lives() {
    tensors_.resize(list_.values);
    for (int node = 0; node < static_cast<int>(graph_.nodes.size()); ++node) {
      for (std::size_t o = 0; o < graph_.nodes[node].outputs.size(); ++o) {
        tensors_[list_.first_value[node] + o].bytes = graph_.nodes[node].outputs[o].bytes();
      }
    }
    for (int s = 0; s < steps(); ++s) {
      const Step& step = list_.steps[s];
      if (step.kind == Step::Kind::save) tensors_[step.writes[0]].bytes = tensors_[step.reads[0]].bytes;
      for (const int value : step.reads) tensors_[value].last = s;
      for (const int value : step.writes) {
        tensors_[value].last = s;
        if (tensors_[value].first == none) tensors_[value].first = s;
      }
    }
  }

  void place_sources() {
    std::vector<bool> read(graph_.variables.size(), false);
    for (int value = 0; value < list_.values; ++value) {
      Tensor& tensor = tensors_[value];
      if (list_.node_of[value] < 0 || tensor.last == none) continue;
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
          if (tensor.first != none) continue;  // written by a group
          tensor.place = {Home::constant, 0, plan_.constant_bytes};
          plan_.constants.push_back({list_.node_of[value], plan_.constant_bytes});
          plan_.constant_bytes += target_.aligned(tensor.bytes);
          break;
        default:
          continue;
      }
      tensor.placed = true;
    }
    for (int v = 0; v < static_cast<int>(read.size()); ++v) {
      if (read[v]) plan_.variables_read.push_back(v);
    }
  }

  void place_next_values() {
    std::vector<int> last_read(graph_.variables.size(), none);
    for (int s = 0; s < steps(); ++s) {
      for (const int value : list_.steps[s].reads) {
        const Tensor& tensor = tensors_[value];
        if (tensor.placed && tensor.place.home == Home::variable) last_read[tensor.place.index] = s;
      }
    }
    for (const Step& step : list_.steps) {
      if (step.kind != Step::Kind::store) continue;
      const int variable = graph_.updates[step.index].first;
      plan_.variables_written.push_back(variable);
      Tensor& tensor = tensors_[step.reads[0]];
      if (tensor.placed || tensor.first == none || last_read[variable] > tensor.first) continue;
      if (last_read[variable] == tensor.first && !may_overwrite(tensor.first, step.reads[0], [&](const Tensor& input) {
            return input.placed && input.place.home == Home::variable && input.place.index == variable;
          })) {
        continue;
      }
      tensor.place = {Home::variable, variable};
      tensor.placed = true;
    }
    std::ranges::sort(plan_.variables_written);
  }

  /// Whether the step may write `value` where every input that satisfies `there` lies.
  template <class There>
  bool may_overwrite(int s, int value, const There& there) const {
    const Step& step = list_.steps[s];
    for (int o = 0; o < static_cast<int>(step.writes.size()); ++o) {
      if (step.writes[o] != value) continue;
      for (int i = 0; i < static_cast<int>(step.reads.size()); ++i) {
        if (there(tensors_[step.reads[i]]) && !in_place_(s, i, o)) return false;
      }
    }
    return true;
  }

  void place_in_arena() {
    for (int s = 0; s < steps(); ++s) {
      for (const int value : list_.steps[s].writes) {
        Tensor& tensor = tensors_[value];
        if (tensor.placed) continue;
        tensor.placed = true;
        plan_.tensor_bytes += tensor.bytes;
        if (over_an_input(s, value)) continue;
        tensor.block = static_cast<int>(blocks_.size());
        blocks_.push_back({.bytes = tensor.bytes, .first = s, .last = std::max(s, tensor.last)});
      }
    }
    plan_.arena_bytes = plan_memory(blocks_, target_);
    plan_.live_bytes = most_at_once();
    for (Tensor& tensor : tensors_) {
      if (tensor.block != none) tensor.place = {Home::arena, 0, blocks_[tensor.block].offset};
    }
  }

  /// Takes the memory of an input that is read here for the last time, if there is one that may be overwritten.
  bool over_an_input(int s, int value) {
    Tensor& tensor = tensors_[value];
    for (const int input : list_.steps[s].reads) {
      const Tensor& other = tensors_[input];
      if (other.block == none || other.bytes != tensor.bytes || blocks_[other.block].last != s) continue;
      if (!may_overwrite(s, value, [&](const Tensor& read) { return read.block == other.block; })) continue;
      if (tensor.last == s) return false;  // nobody reads it: two such outputs must not meet
      tensor.block = other.block;
      blocks_[tensor.block].last = tensor.last;
      return true;
    }
    return false;
  }

  std::size_t most_at_once() const {
    std::vector<std::size_t> begin(static_cast<std::size_t>(steps()) + 1), end(begin.size());
    for (const Block& block : blocks_) {
      begin[block.first] += target_.aligned(block.bytes);
      end[block.last + 1] += target_.aligned(block.bytes);
    }
    std::size_t now = 0, most = 0;
    for (int s = 0; s < steps(); ++s) {
      now += begin[s];
      now -= end[s];
      most = std::max(most, now);
    }
    return most;
  }

  void emit() {
    std::vector<int> position;  // of each step among those that are placed
    for (int s = 0; s < steps(); ++s) {
      position.push_back(static_cast<int>(plan_.steps.size()));
      const Step& step = list_.steps[s];
      Plan::Placed placed{.step = s};
      for (const int value : step.reads) placed.inputs.push_back(tensors_[value].place);
      for (const int value : step.writes) placed.outputs.push_back(tensors_[value].place);
      if (step.kind == Step::Kind::fetch) placed.outputs.push_back({Home::fetch, step.index});
      if (step.kind == Step::Kind::store) {
        const Place target{Home::variable, graph_.updates[step.index].first};
        if (placed.inputs[0] == target) continue;  // it is there
        placed.outputs.push_back(target);
      }
      plan_.steps.push_back(std::move(placed));
    }
    for (int s = 0; s < steps(); ++s) {
      for (const int value : list_.steps[s].writes) {
        const Tensor& tensor = tensors_[value];
        const int node = list_.node_of[value];
        if (tensor.block == none || node < 0 || tensor.first != s) continue;
        plan_.held.push_back({.use = {node, value - list_.first_value[node]},
                              .bytes = tensor.bytes,
                              .first = position[s],
                              .last = position[std::max(s, tensor.last)]});
      }
    }
  }

  const Graph& graph_;
  const StepList& list_;
  const Target& target_;
  const InPlace& in_place_;
  std::vector<Tensor> tensors_;  ///< by value
  std::vector<Block> blocks_;
  Plan plan_;
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

Plan place(const Graph& graph, const StepList& list, const Target& target, const InPlace& in_place) {
  return Planner(graph, list, target, in_place).run();
}

}  // namespace qfw::lowering
