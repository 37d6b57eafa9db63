#pragma once

#include <cstdint>
#include <vector>

#include "qfw/graph.h"

namespace qfw {

/// The values of a training step's forward pass that take memory for each image, and who reads them.
class Activations {
 public:
  /// The graph, finished and with a fetch of the logits, outlives it.
  explicit Activations(const Graph& graph);

  const Graph& graph() const { return graph_; }
  int count() const { return static_cast<int>(graph_.nodes.size()); }

  /// Of a node: large, computed from large feeds (so not from random numbers alone), and not from the logits.
  bool is(int node) const { return is_[at(node)]; }
  /// It is computed from the logits, so after the whole forward pass: a gradient, or what is made of one.
  bool late(int node) const { return late_[at(node)]; }
  /// The logits are computed from it.
  bool leads(int node) const { return leads_[at(node)]; }
  bool read_late(int node) const { return read_late_[at(node)]; }
  /// A product or a pool makes it or reads it, so that it lies in memory.
  bool stored(int node) const { return stored_[at(node)]; }
  std::int64_t bytes(int node) const;
  bool large(Use use) const { return graph_.type(use).shape.count() > small_count; }

 private:
  static constexpr std::int64_t small_count = 4096;  ///< elements; less is not worth a second computation
  static std::size_t at(int node) { return static_cast<std::size_t>(node); }
  void find_late(int logits);
  void find_leading(int logits);
  void find_activations();
  void find_readers();

  const Graph& graph_;
  std::vector<bool> is_, late_, leads_, read_late_, stored_;
};

/// Of each activation the segment of the forward pass that it belongs to; -1: none. Segments end where little is read later,
/// and each has about `most_bytes` of stored values.
std::vector<int> segments_of(const Activations& activations, std::int64_t most_bytes);

}  // namespace qfw
