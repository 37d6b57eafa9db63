#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "qfw/graph.h"

namespace qfw::cpu {

/// An evaluation graph in two: a beginning that threads compute a few images at a time, each its own from the first layer to
/// the last one, so that what goes from layer to layer stays in its caches; and the rest, for all images at once. Together they
/// give the graph's bits.
struct ByImages {
  std::int64_t images = 0;   ///< of the batch
  std::int64_t at_once = 0;  ///< that a thread computes; divides `images`
  /// For `at_once` images. Its inputs are slices of inputs of the whole graph, its fetches slices of what the rest is given.
  Graph first;
  std::vector<int> first_inputs;  ///< of each input: that of the whole graph
  Graph rest;                     ///< inputs: the whole graph's, then what `first` fetches, of all images; the graph's fetches
  std::vector<int> first_nodes, rest_nodes;  ///< of each node: that of the whole graph
};

/// Empty where it would not pay: of graphs that train, read variables (whose weights no kernel packs once) or have no
/// convolution whose images outweigh its weights, and of batches that threads cannot share out.
std::optional<ByImages> split_by_images(const Graph& graph, int threads);

}  // namespace qfw::cpu
