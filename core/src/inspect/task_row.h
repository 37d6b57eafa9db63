#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inspect/layer_groups.h"
#include "qfw/backend.h"

namespace qfw {

/// What a task of an executable is for.
enum class Part : std::uint8_t {
  forward,           ///< a convolution or dense layer
  backward_data,     ///< the gradient of what it reads
  backward_weights,  ///< the gradient of its weights
  passes,            ///< over memory: elementwise ops, reductions and views, most of them fused
  exchange,          ///< with other replicas
  other,             ///< pooling, copies, random numbers
};
inline constexpr int part_count = 6;
const char* name_of(Part part);  ///< "backward data"

/// A task as its graph explains it.
struct TaskRow {
  Executable::Task task;
  std::string layer;  ///< see LayerNames; never empty
  Part part = Part::other;
  double multiplications = 0;  ///< of one run
  DType operands{};            ///< of these
  std::string shapes;          ///< "u8[8, 4, 4, 16] x s8[1, 1, 16, 32] -> s32[8, 4, 4, 32]"; of a pass "12 ops on f32[...]"
};

/// The layer that a node belongs to: its path, without what quantizers add to that of a convolution or dense layer; or one of
/// the scopes that are none (layer_groups.h).
class LayerNames {
 public:
  explicit LayerNames(const Graph& graph);  ///< which outlives it

  std::string of(int node) const;
  /// Of several nodes that are computed together: of most of those that compute something, or several_layers, where that is
  /// less than a quarter of them: of what a backend does for all layers at once.
  std::string of(const std::vector<int>& nodes) const;
  /// All of the graph's, in the order of the network: that of the first node of each.
  const std::vector<std::string>& in_order() const { return in_order_; }

 private:
  const Graph& graph_;
  std::vector<std::string> sites_, in_order_;
};

/// The tasks of an executable that was compiled from this graph.
std::vector<TaskRow> rows_of(const Graph& graph, std::vector<Executable::Task> tasks);

}  // namespace qfw
