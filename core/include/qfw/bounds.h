#pragma once

#include <limits>
#include <span>
#include <vector>

#include "qfw/graph.h"

/// What is known of values before anything is fed: from clips to constants, from relu, from the dtype. The quantize pass reads
/// the sign of activations here, backends how large integer codes can be.
namespace qfw {

/// low <= x <= high for every element x that is a number, on every backend: roundings to the dtype and subnormals that count as
/// zero are allowed for. Of NaN it says nothing: a clipped value may still be NaN. Zeros of either sign are equal, and a
/// divisor of zero counts as +0.
struct Bounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  bool operator==(const Bounds&) const = default;
};

/// The bounds of one output of a node from those of its inputs, before rounding to the output's dtype, which the analysis adds.
/// NaN for an end means that it is not known, so that a rule may compute with infinite ends.
using BoundsRule = Bounds (*)(const Node& node, std::span<const Bounds> inputs, int output);

/// The bounds of the values of one graph, each node's computed once. The graph must outlive it and may grow meanwhile.
class QFW_API ValueBounds {
 public:
  explicit ValueBounds(const Graph& graph) : graph_(graph) {}

  Bounds of(Use use);

 private:
  void add_node();

  const Graph& graph_;
  std::vector<std::vector<Bounds>> known_;  ///< by node, by output; of the nodes so far
};

}  // namespace qfw
