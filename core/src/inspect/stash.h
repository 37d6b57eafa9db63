#pragma once

#include <array>
#include <string>
#include <vector>

#include "qfw/backend.h"

namespace qfw {

/// What a training step keeps in memory from its forward pass for its backward pass: all that is written until the last
/// forward product and read after it. Weights and images lie elsewhere.
struct Stash {
  struct Row {
    std::string layer, op;  ///< where and by what it is computed
    TensorType type;
    std::int64_t bytes() const { return static_cast<std::int64_t>(type.bytes()); }
  };
  std::vector<Row> rows;            ///< in the order in which they are written
  std::vector<Row> again;           ///< what is not kept but computed a second time (passes/recompute.h)
  std::vector<std::string> layers;  ///< of all of these, in the order of the network
  std::vector<std::string> matmul_layers;

  std::int64_t bytes() const;  ///< of what is kept
};

/// Of an executable that was compiled from this graph; empty if its backend does not tell, or if nothing is kept.
Stash stash_of(const Graph& graph, const Executable& executable);

/// What is kept of a layer, or of several (layer_groups.h).
struct LayerStash {
  std::string layer;
  std::int64_t values = 0;
  std::array<std::int64_t, 6> bytes{};  ///< by DType
  std::int64_t again = 0;               ///< bytes of what is computed again

  std::int64_t of(DType dtype) const { return bytes[static_cast<std::size_t>(dtype)]; }
  std::int64_t all() const;
  LayerStash& operator+=(const LayerStash& other);
};

/// In the order of the network; what multiplies nothing counts for the layer before it. More than so many rows are folded where
/// equal blocks keep as much.
std::vector<LayerStash> by_layer(const Stash& stash, std::size_t most_rows);

}  // namespace qfw
