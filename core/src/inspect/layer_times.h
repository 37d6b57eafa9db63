#pragma once

#include <array>
#include <string>
#include <vector>

#include "inspect/profile.h"

namespace qfw {

/// The time of a layer, part by part.
struct LayerTimes {
  struct Sum {
    std::int64_t tasks = 0;
    double milliseconds = 0, multiplications = 0, bytes = 0;
    /// Of those tasks alone whose ceiling is known: their time, and what it would be at the peak, or at memory's bandwidth.
    double multiplying = 0, multiplying_at_peak = 0, moving = 0, moving_at_bandwidth = 0;

    Sum& operator+=(const Sum& other);
    std::optional<double> peak_share() const;       ///< none: nothing is multiplied, or the peak is not known
    std::optional<double> bandwidth_share() const;  ///< of what multiplies nothing; more than 1: it came from caches
  };
  std::string layer;
  std::array<Sum, part_count> parts{};

  const Sum& of(Part part) const { return parts[static_cast<std::size_t>(part)]; }
  Sum all() const;
  LayerTimes& operator+=(const LayerTimes& other);  ///< its parts
};

/// A row for each layer that has tasks, in the order of the network.
std::vector<LayerTimes> layer_times(const Profile& profile, const Ceilings& ceilings);

/// Fewer rows: what multiplies nothing counts for the layer before it (layer_groups.h).
std::vector<LayerTimes> by_matmul(const std::vector<LayerTimes>& layers);

/// Fewer still: equal blocks, which have as many multiplications in the same layers, stand together.
std::vector<LayerTimes> fold_blocks(const std::vector<LayerTimes>& layers);

}  // namespace qfw
