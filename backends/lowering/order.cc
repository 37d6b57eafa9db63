#include "qfw/lowering/order.h"

#include <algorithm>
#include <map>
#include <set>

#include "qfw/error.h"

namespace qfw::lowering {
namespace {

class Scheduler {
 public:
  Scheduler(const Graph& graph, std::vector<Item> items) : graph_(graph), items_(std::move(items)) {
    count_ = static_cast<int>(items_.size());
    for (int i = 0; i < count_; ++i) {
      for (const Use use : outputs(i)) producer_[key(use)] = i;
    }
    readers_.resize(count_);
    needs_.resize(count_);
    rank_.resize(count_);
    for (int i = 0; i < count_; ++i) {
      for (const Use use : inputs(i)) {
        const auto at = producer_.find(key(use));
        if (at == producer_.end()) {
          fail(Error::Category::internal, "fusion", "no item computes what another reads", graph.nodes[use.node].path,
               "report this graph");
        }
        needs_[i].insert(at->second);
        readers_[at->second].insert(i);
      }
    }
    for (int i = 0; i < count_; ++i) {
      left_.push_back(static_cast<int>(readers_[i].size()));
      rank_[i] = items_[i].group ? items_[i].group->nodes.back() : items_[i].node;
    }
    for (const Fetch& fetch : graph.fetches) kept_.insert(key(fetch.use));
    for (const auto& [variable, use] : graph.updates) updates_[key(use)].push_back(variable);
    find_variables();
  }

  std::vector<Item> run() {
    done_.assign(count_, false);
    // Single nodes in the graph's own order ask for what they need; groups that nobody asked for come last.
    std::vector<int> order(count_);
    for (int i = 0; i < count_; ++i) order[i] = i;
    std::ranges::sort(order, [&](int a, int b) { return std::pair(late(a), rank_[a]) < std::pair(late(b), rank_[b]); });
    for (const int item : order) emit(item);
    std::vector<Item> result;
    for (const int item : sequence_) result.push_back(std::move(items_[item]));
    return result;
  }

 private:
  static std::pair<int, int> key(Use use) { return {use.node, use.output}; }

  std::vector<Use> outputs(int item) const {
    if (items_[item].group) return items_[item].group->outputs;
    std::vector<Use> uses;
    for (int i = 0; i < static_cast<int>(graph_.nodes[items_[item].node].outputs.size()); ++i)
      uses.push_back({items_[item].node, i});
    return uses;
  }
  const std::vector<Use>& inputs(int item) const {
    return items_[item].group ? items_[item].group->inputs : graph_.nodes[items_[item].node].inputs;
  }
  bool is_source(int item) const { return !items_[item].group && graph_.nodes[items_[item].node].inputs.empty(); }
  /// Views and sources are nothing to start from: they run when something reads them.
  bool late(int item) const {
    if (items_[item].group || is_source(item)) return true;
    return class_of(graph_.nodes[items_[item].node].op) == OpClass::view;
  }

  void find_variables() {
    std::map<int, std::set<int>> reading;  // variable to items
    for (int i = 0; i < count_; ++i) {
      if (items_[i].group || graph_.nodes[items_[i].node].op != Op::variable) continue;
      auto& readers = reading[graph_.nodes[items_[i].node].as<Slot>().index];
      readers.insert(readers_[i].begin(), readers_[i].end());
    }
    others_.resize(count_);
    for (const auto& [use, variables] : updates_) {
      const auto at = producer_.find(use);
      if (at == producer_.end() || !items_[at->second].group) continue;
      for (const int variable : variables) {
        for (const int reader : reading[variable]) {
          if (reader == at->second) continue;
          others_[at->second].insert(reader);
          waiting_[reader].insert(at->second);
        }
      }
    }
  }

  void emit(int first) {
    std::vector<std::pair<int, bool>> pending{{first, false}};  // false: its needs come first
    while (!pending.empty()) {
      const auto [item, ready] = pending.back();
      pending.pop_back();
      if (done_[item]) continue;
      if (ready) {
        finish(item);
        continue;
      }
      pending.emplace_back(item, true);
      std::vector<int> needs(needs_[item].begin(), needs_[item].end());
      std::ranges::sort(needs, [&](int a, int b) { return rank_[a] > rank_[b]; });
      for (const int need : needs) {
        if (!done_[need]) pending.emplace_back(need, false);
      }
    }
  }

  void append(int item) {
    done_[item] = true;
    for (const int need : needs_[item]) --left_[need];
    sequence_.push_back(item);
  }

  void finish(int item) {
    std::vector<int> pending{item};
    while (!pending.empty()) {
      const int now = pending.back();
      pending.pop_back();
      if (done_[now]) continue;
      for (const int need : needs_[now]) {
        if (!done_[need]) append(need);  // a source, as eager() lets only those be missing
      }
      append(now);
      if (is_source(now)) continue;  // what reads variables only is not urgent
      std::set<int> near = readers_[now];
      if (const auto at = waiting_.find(now); at != waiting_.end()) near.insert(at->second.begin(), at->second.end());
      for (const int need : needs_[now]) {
        if (left_[need] == 1) near.insert(*std::ranges::find_if_not(readers_[need], [&](int reader) { return done_[reader]; }));
      }
      for (auto other = near.rbegin(); other != near.rend(); ++other) {
        if (!done_[*other] && eager(*other)) pending.push_back(*other);
      }
    }
  }

  /// Whether a group can run and leaves no more memory in use than before.
  bool eager(int item) const {
    if (!items_[item].group) return false;
    const auto done = [&](int other) { return done_[other] || is_source(other); };
    if (!std::ranges::all_of(needs_[item], done) || !std::ranges::all_of(others_[item], done)) return false;
    std::size_t made = 0, freed = 0, largest = 0;
    for (const Use use : items_[item].group->outputs) {
      if (!updates_.contains(key(use))) made += graph_.type(use).bytes();
    }
    for (const Use use : items_[item].group->inputs) {
      const int producer = producer_.at(key(use));
      const std::size_t bytes = graph_.type(use).bytes();
      if (is_source(producer)) continue;
      largest = std::max(largest, bytes);
      if (left_[producer] == 1 && !kept_.contains(key(use))) freed += bytes;
    }
    return made <= freed || made * 16 <= largest;
  }

  const Graph& graph_;
  std::vector<Item> items_;
  int count_ = 0;
  std::map<std::pair<int, int>, int> producer_;
  std::map<std::pair<int, int>, std::vector<int>> updates_;
  std::set<std::pair<int, int>> kept_;
  std::vector<std::set<int>> readers_, needs_, others_;  ///< others: what else reads the variables it updates
  std::map<int, std::set<int>> waiting_;                 ///< updates that wait for a reader
  std::vector<int> rank_, left_;                         ///< left: readers that have not run yet
  std::vector<bool> done_;
  std::vector<int> sequence_;
};

}  // namespace

std::vector<Item> in_order(const Graph& graph, std::vector<Item> items) { return Scheduler(graph, std::move(items)).run(); }

}  // namespace qfw::lowering
