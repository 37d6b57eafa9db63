#pragma once

#include "qfw/graph.h"

namespace qfw {

/// An evaluation graph in two: what depends on variables alone, for once, and what depends on images, for every batch. What
/// goes from one to the other becomes constant tensors: integer codes of weights, scales, factors of batch normalisations.
class Freeze {
 public:
  /// Takes a finished graph that updates nothing, best with its composites expanded, so that what is constant within them is
  /// found. What meets other replicas (all_reduce) stays with the images.
  explicit Freeze(const Graph& graph, int replicas = 1);

  /// No inputs; a fetch for each value that the rest needs, named by path and role. A view of a smaller tensor stays with the
  /// images, so that no broadcast is fetched.
  const Graph& prepare() const { return prepare_; }

  using Bytes = std::shared_ptr<const std::vector<std::byte>>;
  /// The rest, without variables, given what prepare() fetched, in its order. Inputs and fetches are the graph's. Sites name
  /// what is left of them: weight codes and scales that are only prepared from are empty.
  Graph frozen(const std::vector<Bytes>& values) const;

 private:
  int replicas_;
  Graph prepare_;
  Graph rest_;              ///< its tensors have no bytes yet
  std::vector<int> given_;  ///< of each tensor: the fetch of prepare_; -1 for one that the graph itself had
};

}  // namespace qfw
