#pragma once

#include <map>
#include <vector>

#include "qfw/graph.h"
#include "qfw/lowering/target.h"
#include "qfw/lowering/views.h"

/// Which values of a graph get memory, and what each fused value then reads.
namespace qfw::lowering {

/// Something an inline expression reads from memory.
struct Leaf {
  Use use;
  bool soft = false;  ///< computed over the same index space, element for element: may be fused with its reader
  bool operator==(const Leaf&) const = default;
};

/// What it takes to compute a fused value from memory.
struct Expression {
  std::vector<int> nodes;  ///< the value's own included, views and constants too
  std::vector<Leaf> leaves;
  double operations = 0;  ///< per element; slow functions count more
};

class Materialization {
 public:
  /// Both outlive it.
  Materialization(const Graph& graph, const Target& target);

  bool is_single(int node) const { return single_[node]; }  ///< an item of its own: not fused, or a view needed in memory
  bool is_root(int node) const { return root_[node]; }      ///< fused and written to memory
  bool in_memory(Use use) const { return single_[use.node] || root_[use.node]; }
  int space_of(int node) const { return space_[node]; }  ///< number of the index space it is computed over
  std::int64_t space_count(int node) const { return counts_[space_[node]]; }
  Expression expression(int node) const;

 private:
  void number_spaces();
  void require(Use use);
  void require_operands();
  void require_operand(int reader, Use use);
  void store_shared();
  std::vector<int> levels() const;
  void collect(int reader_space, int node, Expression& to, std::vector<int>& seen) const;
  void collect_operand(int reader_space, Use use, Expression& to, std::vector<int>& seen) const;
  std::vector<std::pair<int, int>> passes_reached(int from, int without, const std::vector<int>& level) const;
  bool may_anchor(int node) const;
  bool last_alone(int number) const;
  bool worth_storing(int node, const std::vector<int>& level) const;

  const Graph& graph_;
  const Target& target_;
  std::vector<bool> single_, root_;
  std::vector<int> space_;
  std::vector<std::int64_t> counts_;  ///< elements, by space
  std::vector<std::vector<int>> readers_;
};

}  // namespace qfw::lowering
