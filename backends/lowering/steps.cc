#include "qfw/lowering/steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "qfw/lowering/views.h"

namespace qfw::lowering {
namespace {

bool is_source(Op op) {
  return op == Op::input || op == Op::variable || op == Op::constant || op == Op::tensor || op == Op::step;
}

class Lister {
 public:
  Lister(const Graph& graph, const Target& target, bool alone) : graph_(graph), target_(target), alone_(alone) {}

  StepList run() {
    list_.items = group_nodes(graph_, target_);
    number_values();
    find_roots();
    for (int i = 0; i < static_cast<int>(list_.items.size()); ++i) {
      const Item& item = list_.items[i];
      if (item.group) {
        for (const Use use : item.group->outputs) item_of_[list_.value(use)] = i;
      } else {
        for (int o = 0; o < outputs(item.node); ++o) item_of_[list_.value({item.node, o})] = i;
      }
    }
    started_.assign(list_.items.size(), false);
    find_riders();

    for (int k = 0; k < static_cast<int>(graph_.fetches.size()); ++k)
      fetches_of_[list_.value(graph_.fetches[k].use)].push_back(k);
    fetch_sources();
    save_variables();
    for (int i = 0; i < static_cast<int>(list_.items.size()); ++i) start(i, true);
    for (const Fetch& fetch : graph_.fetches) need(list_.value(fetch.use));
    for (const auto& [variable, use] : graph_.updates) need(list_.value(use));
    while (open_ || !in_flight_.empty()) {
      close();
      while (!in_flight_.empty()) land();
    }
    store_variables();
    return std::move(list_);
  }

 private:
  int outputs(int node) const { return static_cast<int>(graph_.nodes[node].outputs.size()); }
  const Node& node_of(int value) const { return graph_.nodes[list_.node_of[value]]; }

  void number_values() {
    for (int node = 0; node < static_cast<int>(graph_.nodes.size()); ++node) {
      list_.first_value.push_back(list_.values);
      list_.values += outputs(node);
      list_.node_of.resize(list_.values, node);
    }
    item_of_.assign(list_.values, -1);
    written_.assign(list_.values, false);
    fetches_of_.resize(list_.values);
  }

  bool is_alias(const Node& node) const {
    switch (node.op) {
      case Op::reshape:
        return true;
      case Op::transpose:
        return transpose_is_alias(graph_.type(node.inputs[0]).shape, node.as<Axes>());
      case Op::broadcast_to:
        return graph_.type(node.inputs[0]).shape.count() == node.outputs[0].shape.count();
      case Op::all_reduce:
        return alone_;
      default:
        return false;
    }
  }

  void find_roots() {
    // A group that writes a view of something it only reads writes a tensor of its own.
    std::vector<int> writer(graph_.nodes.size(), -1);
    std::vector<bool> written_by_group(graph_.nodes.size(), false);
    for (int i = 0; i < static_cast<int>(list_.items.size()); ++i) {
      if (!list_.items[i].group) continue;
      for (const Use use : list_.items[i].group->outputs) writer[use.node] = i, written_by_group[use.node] = true;
    }
    list_.root.resize(list_.values);
    for (int node = 0; node < static_cast<int>(graph_.nodes.size()); ++node) {
      const int first = list_.first_value[node];
      for (int o = 0; o < outputs(node); ++o) list_.root[first + o] = first + o;
      if (!is_alias(graph_.nodes[node])) continue;
      const int root = list_.value(graph_.nodes[node].inputs[0]);
      if (!written_by_group[node] || writer[list_.node_of[root]] == writer[node]) list_.root[first] = root;
    }
  }

  /// Groups that are computed with their anchor: nothing else reads what it writes, so that needs no memory.
  void find_riders() {
    rides_.assign(list_.items.size(), false);
    std::vector<int> readers(list_.values, 0);
    for (const Item& item : list_.items) {
      for (const Use use : item.group ? item.group->inputs : graph_.nodes[item.node].inputs) ++readers[list_.value(use)];
    }
    for (const Fetch& fetch : graph_.fetches) ++readers[list_.value(fetch.use)];
    for (const auto& [variable, use] : graph_.updates) ++readers[list_.value(use)];
    for (int i = 0; i < static_cast<int>(list_.items.size()); ++i) {
      const auto& group = list_.items[i].group;
      if (!group || group->anchor < 0 || readers[list_.value({group->anchor, 0})] != 1) continue;
      rides_[i] = true;
      started_[item_of_[list_.value({group->anchor, 0})]] = true;  // with the group
    }
  }

  void fetch_sources() {
    for (int value = 0; value < list_.values; ++value) {
      if (is_source(node_of(value).op)) fetch(value);
    }
  }

  /// The old value of one variable becoming the next of another is put aside before anything is overwritten.
  void save_variables() {
    std::vector<bool> updated(graph_.variables.size(), false);
    for (const auto& [variable, use] : graph_.updates) updated[variable] = true;
    stored_.resize(graph_.updates.size());
    for (int i = 0; i < static_cast<int>(graph_.updates.size()); ++i) {
      const int value = stored_[i] = list_.value(graph_.updates[i].second);
      const Node& node = node_of(value);
      if (node.op != Op::variable) continue;
      const int from = node.as<Slot>().index;
      if (from == graph_.updates[i].first || !updated[from]) continue;
      stored_[i] = list_.values++;
      list_.node_of.push_back(-1);
      list_.root.push_back(stored_[i]);
      list_.steps.push_back({.kind = Step::Kind::save, .index = i, .reads = {value}, .writes = {stored_[i]}});
    }
  }

  void store_variables() {
    for (int i = 0; i < static_cast<int>(graph_.updates.size()); ++i) {
      const int value = stored_[i];
      if (list_.node_of[value] >= 0) {
        const Node& node = node_of(value);
        if (node.op == Op::variable && node.as<Slot>().index == graph_.updates[i].first) continue;  // stays as it is
      }
      list_.steps.push_back({.kind = Step::Kind::store, .index = i, .reads = {value}});
    }
  }

  void fetch(int value) {
    for (const int k : fetches_of_[value]) {
      list_.steps.push_back({.kind = Step::Kind::fetch, .index = k, .reads = {value}});
    }
  }

  /// Sees to it that the value is written before what comes next.
  void need(int value) {
    if (written_[value] || is_source(node_of(value).op)) return;
    if (!is_reducing(value)) {
      if (item_of_[value] >= 0) {
        start(item_of_[value], false);
      } else {
        single(list_.node_of[value]);
      }
    }
    if (open_ && contains(open_->step.writes, value)) close();
    while (!written_[value] && is_reducing(value)) land();
  }

  static bool contains(const std::vector<int>& values, int value) { return std::ranges::find(values, value) != values.end(); }

  /// Whether it waits in a bucket, or is being reduced.
  bool is_reducing(int value) const {
    return (open_ && contains(open_->step.writes, value)) ||
           std::ranges::any_of(in_flight_, [&](const Step& step) { return contains(step.reads, value); });
  }

  /// What reads a value that is being reduced waits for it if it `may_wait`, so that buckets fill and others compute meanwhile.
  void start(int item_index, bool may_wait) {
    if (started_[item_index]) return;
    const Item& item = list_.items[item_index];
    const auto waits = [&](Use use) { return is_reducing(list_.value(use)); };
    const std::vector<Use>& inputs = item.group ? item.group->inputs : graph_.nodes[item.node].inputs;
    if (may_wait && std::any_of(inputs.begin(), inputs.end(), waits)) {
      put_off_.push_back(item_index);
      return;
    }
    started_[item_index] = true;
    if (!item.group) return single(item.node);
    Step step{.kind = Step::Kind::group, .group = &*item.group};
    if (rides_[item_index]) {
      step.node = item.group->anchor;
      for (const Use use : graph_.nodes[step.node].inputs) step.reads.push_back(list_.value(use));
    }
    for (const Use use : item.group->inputs) {
      if (use.node != step.node) step.reads.push_back(list_.value(use));
    }
    for (const Use use : item.group->outputs) step.writes.push_back(list_.value(use));
    push(std::move(step));
  }

  void single(int number) {
    const Node& node = graph_.nodes[number];
    if (is_source(node.op) || list_.root[list_.first_value[number]] != list_.first_value[number]) return;
    Step step{.node = number};
    for (const Use use : node.inputs) step.reads.push_back(list_.value(use));
    for (int o = 0; o < outputs(number); ++o) step.writes.push_back(list_.value({number, o}));
    if (node.op != Op::all_reduce) return push(std::move(step));

    for (const int value : step.reads) need(value);
    const std::size_t bytes = node.outputs[0].bytes();
    if (open_ && graph_.nodes[open_->step.node].as<Across>() != node.as<Across>()) close();
    if (!open_) open_ = Bucket{.step = {.kind = Step::Kind::reduce_start, .node = number}};
    open_->step.uses.push_back({number, 0});
    open_->step.reads.push_back(step.reads[0]);
    open_->step.writes.push_back(step.writes[0]);
    open_->bytes += bytes;
    if (bytes > target_.buckets.small_bytes || open_->bytes > target_.buckets.bytes) close();
  }

  void push(Step step) {
    for (const int value : step.reads) need(value);
    for (const int value : step.writes) written_[value] = true;
    const std::vector<int> writes = step.writes;
    list_.steps.push_back(std::move(step));
    for (const int value : writes) fetch(value);
  }

  /// Starts to reduce what the open bucket holds.
  void close() {
    if (!open_) return;
    Step step = std::move(open_->step);
    open_.reset();
    step.index = list_.reductions++;
    Step wait{.kind = Step::Kind::reduce_wait, .node = step.node, .uses = step.uses, .index = step.index, .reads = step.writes};
    list_.steps.push_back(std::move(step));
    in_flight_.push_back(std::move(wait));
    while (in_flight_.size() > target_.buckets.in_flight) land();
  }

  /// Waits for the reduction that was started first, then does what waited with it.
  void land() {
    const Step wait = std::move(in_flight_.front());
    in_flight_.pop_front();
    for (const int value : wait.reads) written_[value] = true;
    list_.steps.push_back(wait);
    for (const int value : wait.reads) fetch(value);
    const std::vector<int> items = std::exchange(put_off_, {});
    for (const int item : items) start(item, true);
  }

  struct Bucket {
    Step step;
    std::size_t bytes = 0;
  };

  const Graph& graph_;
  const Target& target_;
  bool alone_;
  StepList list_;
  std::vector<int> item_of_;   ///< of each value: the item that writes it
  std::vector<bool> started_;  ///< of each item
  std::vector<bool> rides_;    ///< of each item: a group that is computed with its anchor
  std::vector<bool> written_;  ///< of each value
  std::vector<int> stored_;    ///< of each update: the value that is stored
  std::vector<std::vector<int>> fetches_of_;
  std::optional<Bucket> open_;  ///< takes more
  std::deque<Step> in_flight_;  ///< the waits for what was started
  std::vector<int> put_off_;    ///< items that read what is being reduced
};

}  // namespace

StepList list_steps(const Graph& graph, const Target& target, bool alone) { return Lister(graph, target, alone).run(); }

std::string label_of(const Graph& graph, const Step& step) {
  const auto one = [&](int node) {
    const std::string& path = graph.nodes[node].path;
    return fmt::format("%{} {}{}{}", node, name_of(graph.nodes[node].op), path.empty() ? "" : " ", path);
  };
  switch (step.kind) {
    case Step::Kind::node:
      return one(step.node);
    case Step::Kind::reduce_start:
    case Step::Kind::reduce_wait:
      return fmt::format("{} and {} more", one(step.node), step.uses.size() - 1);
    case Step::Kind::fetch:
      return graph.fetches[step.index].name;
    case Step::Kind::save:
    case Step::Kind::store:
      return graph.variables[graph.updates[step.index].first].name;
    case Step::Kind::group:
      if (step.node >= 0) return one(step.node);
      break;
  }
  std::string ops;
  for (const int node : step.group->nodes) {
    ops += fmt::format("{}%{} {}", ops.empty() ? "" : ", ", node, name_of(graph.nodes[node].op));
  }
  const std::string& path = graph.nodes[step.group->nodes.back()].path;
  return fmt::format("{}{}({})", path, path.empty() ? "" : " ", ops);
}

std::string to_string(const Graph& graph, const StepList& list) {
  constexpr const char* kinds[] = {"node", "group", "reduce", "wait", "fetch", "save", "store"};
  std::string text;
  for (std::size_t i = 0; i < list.steps.size(); ++i) {
    const Step& step = list.steps[i];
    text += fmt::format("{:3} {:10} {} -> {}  # {}\n", i, kinds[static_cast<int>(step.kind)], fmt::join(step.reads, " "),
                        fmt::join(step.writes, " "), label_of(graph, step));
    if (step.group != nullptr && step.group->anchor >= 0) {
      text.back() = ';';
      text += fmt::format(" may ride on %{}\n", step.group->anchor);
    }
  }
  return text;
}

}  // namespace qfw::lowering
