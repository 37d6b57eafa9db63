#include "qfw/lowering/grouping.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "qfw/lowering/materialize.h"
#include "qfw/lowering/order.h"
#include "qfw/lowering/program.h"

namespace qfw::lowering {
namespace {

/// Everything that is one item, before merging: roots and single nodes, by node number.
class Grouping {
 public:
  Grouping(const Graph& graph, const Target& target)
      : graph_(graph), target_(target), stored_(graph, target), count_(static_cast<int>(graph.nodes.size())) {
    expressions_.resize(count_);
    for (int i = 0; i < count_; ++i) {
      if (stored_.is_root(i)) expressions_[i] = stored_.expression(i);
    }
    find_edges();
    find_levels();
    join_partners();
    merge();
  }

  std::vector<Item> items() const {
    std::vector<Item> result;
    for (int i = 0; i < count_; ++i) {
      if (stored_.is_single(i)) result.push_back({.node = i});
    }
    std::map<int, std::vector<int>> groups;
    for (int i = 0; i < count_; ++i) {
      if (is_unit(i) && stored_.is_root(i)) groups[find(i)].push_back(i);
    }
    for (const auto& [first, roots] : groups) result.push_back({.group = group(roots)});
    return result;
  }

 private:
  struct Edge {
    int producer;
    bool soft;
  };

  bool is_unit(int node) const { return stored_.is_root(node) || stored_.is_single(node); }
  bool large(Use use) const { return graph_.type(use).shape.count() > target_.small_count; }

  /// A stored value that is only another one in a wider type: made when it is needed, not when its source is.
  bool widens(int root) const {
    if (class_of(graph_.nodes[root].op) != OpClass::elementwise) return false;
    const Expression& e = expressions_[root];
    if (e.leaves.size() != 1 || !large(e.leaves[0].use)) return false;
    const bool only_casts = std::ranges::all_of(
        e.nodes, [&](int n) { return graph_.nodes[n].op == Op::cast || class_of(graph_.nodes[n].op) == OpClass::view; });
    return only_casts && size_of(graph_.type(e.leaves[0].use).dtype) < size_of(graph_.nodes[root].outputs[0].dtype);
  }

  void find_edges() {
    edges_.resize(count_);
    readers_.resize(count_);
    for (int i = 0; i < count_; ++i) {
      if (stored_.is_root(i)) {
        const bool alone = widens(i);
        for (const Leaf& leaf : expressions_[i].leaves) edges_[i].push_back({leaf.use.node, leaf.soft && !alone});
      } else if (stored_.is_single(i)) {
        for (const Use use : graph_.nodes[i].inputs) edges_[i].push_back({use.node, false});
      }
      for (const Edge& edge : edges_[i]) readers_[edge.producer].push_back({i, edge.soft});
    }
  }

  void find_levels() {
    level_.assign(count_, -1);
    for (int i = 0; i < count_; ++i) {
      for (const Edge& edge : edges_[i]) level_[i] = std::max(level_[i], level_[edge.producer] + (edge.soft ? 0 : 1));
      if (stored_.is_root(i)) level_[i] = std::max(level_[i], 0);
    }
  }

  /// Whether two roots of one space gain from one pass: they read the same large tensor, or one reads the other.
  bool partners(int a, int b) const {
    const auto reads = [&](int reader, int of) {
      return std::ranges::any_of(edges_[reader], [&](const Edge& e) { return e.producer == of && e.soft; });
    };
    if (reads(a, b) || reads(b, a)) return true;
    const bool any_size = stored_.space_count(a) <= target_.small_count;
    return std::ranges::any_of(expressions_[a].leaves, [&](const Leaf& leaf) {
      if (!any_size && !large(leaf.use)) return false;
      return std::ranges::find(expressions_[b].leaves, leaf.use, &Leaf::use) != expressions_[b].leaves.end();
    });
  }

  /// Roots that may be partners of `root`: readers of what it reads, its own readers and what it reads.
  std::set<int> neighbours(int root) const {
    std::set<int> result;
    const auto add = [&](int node) {
      if (node != root && stored_.is_root(node) && stored_.space_of(node) == stored_.space_of(root)) result.insert(node);
    };
    for (const Edge& edge : edges_[root]) {
      add(edge.producer);
      if (readers_[edge.producer].size() > target_.most_neighbours) continue;  // a learning rate: no reason to share a pass
      for (const Edge& reader : readers_[edge.producer]) add(reader.producer);
    }
    for (const Edge& reader : readers_[root]) add(reader.producer);
    std::erase_if(result, [&](int node) { return !partners(root, node); });
    return result;
  }

  /// A root without a partner in its own pass waits for a later one that has, if whatever needs it can wait as well.
  void join_partners() {
    for (int i = count_ - 1; i >= 0; --i) {
      if (!stored_.is_root(i) || stored_.space_count(i) <= target_.small_count) continue;
      int latest = std::numeric_limits<int>::max();
      for (const Edge& reader : readers_[i]) latest = std::min(latest, level_[reader.producer] - (reader.soft ? 0 : 1));
      const auto near = neighbours(i);
      if (std::ranges::any_of(near, [&](int other) { return level_[other] == level_[i]; })) continue;
      int best = std::numeric_limits<int>::max();
      for (const int other : near) {
        if (level_[other] > level_[i] && level_[other] <= latest) best = std::min(best, level_[other]);
      }
      if (best != std::numeric_limits<int>::max()) level_[i] = best;
    }
  }

  int find(int i) const {
    while (leader_[i] != i) i = leader_[i];
    return i;
  }

  /// Within one level and space a path between two roots has only soft edges, so merging along those makes no cycle.
  void merge() {
    leader_.resize(count_);
    std::iota(leader_.begin(), leader_.end(), 0);
    for (int i = 0; i < count_; ++i) {
      if (!stored_.is_root(i)) continue;
      for (const int other : neighbours(i)) {
        if (level_[other] != level_[i]) continue;
        const int a = find(i), b = find(other);
        leader_[std::max(a, b)] = std::min(a, b);
      }
    }
  }

  Group group(const std::vector<int>& roots) const {
    Group result;
    const std::set<int> own(roots.begin(), roots.end());
    std::set<int> nodes;
    for (const int root : roots) {
      nodes.insert(expressions_[root].nodes.begin(), expressions_[root].nodes.end());
      for (const Leaf& leaf : expressions_[root].leaves) {
        if (!own.contains(leaf.use.node) && std::ranges::find(result.inputs, leaf.use) == result.inputs.end()) {
          result.inputs.push_back(leaf.use);
        }
      }
      for (int output = 0; output < static_cast<int>(graph_.nodes[root].outputs.size()); ++output) {
        result.outputs.push_back({root, output});
      }
    }
    result.nodes.assign(nodes.begin(), nodes.end());
    return result;
  }

  const Graph& graph_;
  const Target& target_;
  Materialization stored_;
  int count_;
  std::vector<Expression> expressions_;
  std::vector<std::vector<Edge>> edges_, readers_;
  std::vector<int> level_, leader_;
};

/// Leaves out outputs that nobody reads, and groups that are left without any.
void drop_unread(const Graph& graph, std::vector<Item>& items) {
  std::set<std::pair<int, int>> read;
  const auto add = [&](Use use) { read.emplace(use.node, use.output); };
  for (const auto& [variable, use] : graph.updates) add(use);
  for (const Fetch& fetch : graph.fetches) add(fetch.use);
  for (const Item& item : items) {
    if (item.group) {
      for (const Use use : item.group->inputs) add(use);
    } else {
      for (const Use use : graph.nodes[item.node].inputs) add(use);
    }
  }
  for (Item& item : items) {
    if (!item.group) continue;
    std::erase_if(item.group->outputs, [&](Use use) { return !read.contains({use.node, use.output}); });
  }
  std::erase_if(items, [](const Item& item) { return item.group && item.group->outputs.empty(); });
}

class Anchors {
 public:
  Anchors(const Graph& graph, const Target& target) : graph_(graph), target_(target) {}

  /// The latest matmul that can carry the group, or -1.
  int of(const Group& group) const {
    int best = -1;
    for (const Use input : group.inputs) {
      const Node& node = graph_.nodes[input.node];
      if (input.node <= best || !target_.may_anchor(graph_, node) || !read_in_order(group, input)) continue;
      const bool alone = std::ranges::none_of(
          group.inputs, [&](Use other) { return other.node != input.node && depends(other.node, input.node); });
      if (alone) best = input.node;
    }
    return best;
  }

 private:
  /// Whether every element of the group's space is computed from that element of the operand.
  bool read_in_order(const Group& group, Use use) const {
    const FusedProgram program = program_of(graph_, group);
    const auto input = static_cast<int>(std::ranges::find(group.inputs, use) - group.inputs.begin());
    return std::ranges::all_of(
        program.loads, [&](const FusedProgram::Load& load) { return load.input != input || load.pattern == Pattern::dense; });
  }

  /// Whether `node` is computed from `from`. Inputs have smaller numbers than what reads them.
  bool depends(int node, int from) const {
    std::set<int> seen;
    std::vector<int> pending{node};
    while (!pending.empty()) {
      const int number = pending.back();
      pending.pop_back();
      if (number == from) return true;
      if (number < from || !seen.insert(number).second) continue;
      for (const Use use : graph_.nodes[number].inputs) pending.push_back(use.node);
    }
    return false;
  }

  const Graph& graph_;
  const Target& target_;
};

}  // namespace

std::vector<Item> group_nodes(const Graph& graph, const Target& target) {
  std::vector<Item> items = Grouping(graph, target).items();
  drop_unread(graph, items);
  if (target.may_anchor) {
    const Anchors anchors(graph, target);
    for (Item& item : items) {
      if (item.group) item.group->anchor = anchors.of(*item.group);
    }
  }
  return in_order(graph, std::move(items));
}

Group group_of(const Graph& graph, int node) {
  Group group;
  const Node& only = graph.nodes[node];
  for (const Use use : only.inputs) {
    if (graph.nodes[use.node].op == Op::constant) {
      group.nodes.push_back(use.node);
    } else if (std::ranges::find(group.inputs, use) == group.inputs.end()) {
      group.inputs.push_back(use);
    }
  }
  std::ranges::sort(group.nodes);
  group.nodes.erase(std::unique(group.nodes.begin(), group.nodes.end()), group.nodes.end());
  group.nodes.push_back(node);
  for (int output = 0; output < static_cast<int>(only.outputs.size()); ++output) group.outputs.push_back({node, output});
  return group;
}

}  // namespace qfw::lowering
