#include "inspect/layer_times.h"

#include <map>

namespace qfw {

LayerTimes::Sum& LayerTimes::Sum::operator+=(const Sum& other) {
  tasks += other.tasks;
  milliseconds += other.milliseconds;
  multiplications += other.multiplications;
  bytes += other.bytes;
  multiplying += other.multiplying;
  multiplying_at_peak += other.multiplying_at_peak;
  moving += other.moving;
  moving_at_bandwidth += other.moving_at_bandwidth;
  return *this;
}

std::optional<double> LayerTimes::Sum::peak_share() const {
  return multiplying > 0 ? std::optional(multiplying_at_peak / multiplying) : std::nullopt;
}

std::optional<double> LayerTimes::Sum::bandwidth_share() const {
  return moving > 0 ? std::optional(moving_at_bandwidth / moving) : std::nullopt;
}

LayerTimes::Sum LayerTimes::all() const {
  Sum sum;
  for (const Sum& part : parts) sum += part;
  return sum;
}

LayerTimes& LayerTimes::operator+=(const LayerTimes& other) {
  for (std::size_t part = 0; part < parts.size(); ++part) parts[part] += other.parts[part];
  return *this;
}

std::vector<LayerTimes> layer_times(const Profile& profile, const Ceilings& ceilings) {
  std::map<std::string, LayerTimes> found;
  for (const Profile::Row& row : profile.rows) {
    LayerTimes& layer = found[row.layer];
    layer.layer = row.layer;
    LayerTimes::Sum sum{.tasks = 1,
                        .milliseconds = row.milliseconds,
                        .multiplications = row.multiplications,
                        .bytes = static_cast<double>(row.task.bytes)};
    if (row.multiplications > 0) {
      if (const auto best = ceilings.multiplying_milliseconds(row.multiplications, row.operands)) {
        sum.multiplying = row.milliseconds;
        sum.multiplying_at_peak = *best;
      }
    } else if (const auto best = ceilings.moving_milliseconds(sum.bytes); best && sum.bytes > 0) {
      sum.moving = row.milliseconds;
      sum.moving_at_bandwidth = *best;
    }
    layer.parts[static_cast<std::size_t>(row.part)] += sum;
  }
  std::vector<LayerTimes> result;
  const auto take = [&](const std::string& name) {
    const auto at = found.find(name);
    if (at == found.end()) return;
    result.push_back(std::move(at->second));
    found.erase(at);
  };
  for (const std::string& name : profile.layers) {
    if (is_of_the_model(name)) take(name);
  }
  for (const std::string& name : profile.layers) take(name);  // what is no layer stands below
  while (!found.empty()) take(found.begin()->first);          // copies, say
  return result;
}

std::vector<LayerTimes> by_matmul(const std::vector<LayerTimes>& layers) {
  return grouped(layers,
                 with_the_one_before(layers_of(layers), [&](std::size_t i) { return layers[i].all().multiplications > 0; }));
}

std::vector<LayerTimes> fold_blocks(const std::vector<LayerTimes>& layers) {
  const auto alike = [&](std::size_t a, std::size_t b) {
    for (std::size_t part = 0; part < part_count; ++part) {
      if (layers[a].parts[part].multiplications != layers[b].parts[part].multiplications) return false;
    }
    return true;
  };
  return grouped(layers, fold_blocks(layers_of(layers), alike));
}

}  // namespace qfw
