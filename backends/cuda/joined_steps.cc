#include "joined_steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "qfw/error.h"

namespace qfw::cuda {
namespace {

using lowering::Place;
using lowering::Step;
using lowering::StepList;

constexpr int none = -1;

class Joiner {
 public:
  Joiner(const Graph& graph, StepList list, std::span<const std::string> code, const lowering::Target& target)
      : graph_(graph), target_(target), list_(std::move(list)), writer_(list_.values, none), readers_(list_.values) {
    std::map<std::string, int> known;
    for (int s = 0; s < count(); ++s) {
      const bool joins = !code[s].empty();
      code_.push_back(joins ? known.try_emplace(code[s], s).first->second : none);
      for (const int value : step(s).writes) writer_[value] = s;
      for (const int value : step(s).reads) readers_[value].push_back(s);
    }
  }

  JoinedSteps run() {
    find_early();
    find_late();
    const std::vector<int> order = in_order();
    require_order(order);
    for (const std::vector<int>& steps : joined(order)) add(steps);
    std::swap(list_.steps, steps_);
    joined_.list = std::move(list_);
    return std::move(joined_);
  }

 private:
  int count() const { return static_cast<int>(list_.steps.size()); }
  const Step& step(int s) const { return list_.steps[s]; }

  std::size_t bytes_of(int value) const {
    const int node = list_.node_of[value];
    return node < 0 ? 0 : graph_.nodes[node].outputs[value - list_.first_value[node]].bytes();
  }
  /// Holding so much longer is worth a launch.
  static bool is_light(std::size_t held, std::size_t others) { return held <= 4 * others + (64 << 10); }

  /// A step's place before all others: 0 where it reads sources alone, else one behind that of what it reads.
  void find_early() {
    early_.assign(count(), none);
    for (int s = 0; s < count(); ++s) {
      if (code_[s] == none) continue;
      int level = 0;
      std::size_t read = 0, written = 0;
      for (const int value : step(s).reads) {
        read += bytes_of(value);
        const int writer = writer_[value];
        if (writer != none) level = early_[writer] == none ? none : level == none ? none : std::max(level, early_[writer] + 1);
        if (level == none) break;
      }
      for (const int value : step(s).writes) written += bytes_of(value);
      if (level != none && is_light(written, read)) early_[s] = level;
    }
    const std::vector<bool> pays = of_several(early_);
    std::vector<bool> moves(count(), false);
    for (int s = count() - 1; s >= 0; --s) {
      if (early_[s] == none) continue;
      moves[s] = pays[s];
      for (const int value : step(s).writes) {
        for (const int reader : readers_[value]) moves[s] = moves[s] || moves[reader];
      }
      if (!moves[s]) early_[s] = none;
    }
  }

  /// A step's place behind all others: 0 where only variables take what it writes, else one before that of what reads it.
  void find_late() {
    late_.assign(count(), none);
    for (int s = count() - 1; s >= 0; --s) {
      if (code_[s] == none || early_[s] != none) continue;
      int depth = 0;
      std::size_t held = 0, written = 0;
      for (const int value : step(s).writes) {
        written += bytes_of(value);
        for (const int reader : readers_[value]) {
          if (step(reader).kind == Step::Kind::store) continue;
          depth = late_[reader] == none || depth == none ? none : std::max(depth, late_[reader] + 1);
        }
      }
      for (const int value : step(s).reads) held += writer_[value] == none ? 0 : bytes_of(value);
      if (depth != none && is_light(held, written)) late_[s] = depth;
    }
    const std::vector<bool> pays = of_several(late_);
    std::vector<bool> moves(count(), false);
    for (int s = 0; s < count(); ++s) {
      if (late_[s] == none) continue;
      moves[s] = pays[s];
      for (const int value : step(s).reads) moves[s] = moves[s] || (writer_[value] != none && moves[writer_[value]]);
      if (!moves[s]) late_[s] = none;
    }
  }

  /// Steps that have the place and the code of another one.
  std::vector<bool> of_several(const std::vector<int>& place) const {
    std::map<std::pair<int, int>, int> counts;
    for (int s = 0; s < count(); ++s) ++counts[{place[s], code_[s]}];
    std::vector<bool> several;
    for (int s = 0; s < count(); ++s) several.push_back(place[s] != none && counts[{place[s], code_[s]}] > 1);
    return several;
  }

  std::vector<int> in_order() const {
    int stores = count();
    while (stores > 0 && step(stores - 1).kind == Step::Kind::store) --stores;
    const auto rank = [&](int s) {  // part of the list, place in it, code
      if (early_[s] != none) return std::tuple(0, early_[s], code_[s]);
      if (late_[s] != none) return std::tuple(2, -late_[s], code_[s]);
      return std::tuple(s < stores ? 1 : 3, 0, 0);
    };
    std::vector<int> order(count());
    for (int s = 0; s < count(); ++s) order[s] = s;
    std::ranges::stable_sort(order, {}, rank);
    return order;
  }

  bool is_small(int s) const {
    const auto small = [&](int value) {
      const int node = list_.node_of[value];
      return node >= 0 && graph_.nodes[node].outputs[value - list_.first_value[node]].shape.count() <= target_.small_count;
    };
    return std::ranges::all_of(step(s).reads, small) && std::ranges::all_of(step(s).writes, small);
  }

  bool may_join(const std::vector<int>& before, int s) const {
    if (code_[s] == none || code_[s] != code_[before.back()]) return false;
    // Of what does not move, large tensors would live at once.
    const bool moves = early_[s] != none || late_[s] != none;
    if (!moves && !(is_small(before.back()) && is_small(s))) return false;
    return std::ranges::none_of(step(s).reads,
                                [&](int value) { return std::ranges::find(before, writer_[value]) != before.end(); });
  }

  std::vector<std::vector<int>> joined(const std::vector<int>& order) const {
    std::vector<std::vector<int>> all;
    for (const int s : order) {
      if (!all.empty() && may_join(all.back(), s)) {
        all.back().push_back(s);
      } else {
        all.push_back({s});
      }
    }
    return all;
  }

  void add(const std::vector<int>& members) {
    std::string label = label_of(graph_, step(members.front()));
    if (members.size() == 1) {
      steps_.push_back(step(members.front()));
    } else {
      label += fmt::format(" and {} more", members.size() - 1);
      lowering::Group& group = joined_.groups.emplace_back();
      Step one{.kind = Step::Kind::group, .group = &group};
      for (const int s : members) {
        const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
        append(group.nodes, step(s).group->nodes);
        append(group.inputs, step(s).group->inputs);
        append(group.outputs, step(s).group->outputs);
        append(one.reads, step(s).reads);
        append(one.writes, step(s).writes);
      }
      std::ranges::sort(group.nodes);  // constants stand in several
      group.nodes.erase(std::unique(group.nodes.begin(), group.nodes.end()), group.nodes.end());
      steps_.push_back(std::move(one));
    }
    std::vector<JoinedSteps::Member>& told = joined_.members.emplace_back();
    for (const int s : members) {
      told.push_back({s, static_cast<int>(step(s).reads.size()), static_cast<int>(step(s).writes.size())});
    }
    joined_.labels.push_back(std::move(label));
  }

  /// A constant that a group writes may be read before that, too, as a source; what a step read after it was written it still
  /// does.
  void require_order(const std::vector<int>& order) const {
    std::vector<bool> done(order.size());
    for (const int s : order) {
      for (const int value : step(s).reads) {
        const int writer = writer_[value];
        if (writer == none || writer > s || done[writer]) continue;
        fail(Error::Category::internal, "cuda", "a step was moved before what it reads", label_of(graph_, step(s)),
             "report this graph");
      }
      done[s] = true;
    }
  }

  const Graph& graph_;
  const lowering::Target& target_;
  StepList list_;
  std::vector<int> writer_;                ///< of each value; none: a source
  std::vector<std::vector<int>> readers_;  ///< of each value
  std::vector<int> code_;                  ///< of each step: the first that has the same; none: it stays alone
  std::vector<int> early_, late_;          ///< of each step that moves: its place; else none
  std::vector<Step> steps_;
  JoinedSteps joined_;
};

}  // namespace

JoinedSteps join_steps(const Graph& graph, StepList list, std::span<const std::string> code, const lowering::Target& target) {
  return Joiner(graph, std::move(list), code, target).run();
}

void require_apart(const Graph& graph, const JoinedSteps& joined, const lowering::Plan& plan) {
  struct Range {
    Place place;
    std::size_t bytes;
    const JoinedSteps::Member* member;
  };
  const auto meet = [](const Range& a, const Range& b) {
    if (a.member == b.member || a.place.home != b.place.home || a.place.index != b.place.index) return false;
    return a.place.offset < b.place.offset + b.bytes && b.place.offset < a.place.offset + a.bytes;
  };
  for (const lowering::Plan::Placed& placed : plan.steps) {
    const std::vector<JoinedSteps::Member>& members = joined.members[placed.step];
    if (members.size() < 2) continue;
    const lowering::Group& group = *joined.list.steps[placed.step].group;
    std::vector<Range> written, all;
    std::size_t input = 0, output = 0;
    for (const JoinedSteps::Member& member : members) {
      for (int k = 0; k < member.inputs; ++k, ++input) {
        all.push_back({placed.inputs[input], graph.type(group.inputs[input]).bytes(), &member});
      }
      for (int k = 0; k < member.outputs; ++k, ++output) {
        written.push_back({placed.outputs[output], graph.type(group.outputs[output]).bytes(), &member});
      }
    }
    all.insert(all.end(), written.begin(), written.end());
    for (const Range& own : written) {
      const auto other = std::ranges::find_if(all, [&](const Range& each) { return meet(own, each); });
      if (other == all.end()) continue;
      fail(Error::Category::internal, "cuda",
           fmt::format("groups that run at once meet at {} and {}", own.place.str(), other->place.str()),
           joined.labels[placed.step], "report this graph");
    }
  }
}

}  // namespace qfw::cuda
