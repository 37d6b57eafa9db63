#include "profile_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "inspect/layer_times.h"
#include "io/printable.h"
#include "layout.h"

namespace qfw {
namespace {

constexpr std::size_t most_columns = 80;
constexpr std::size_t most_layers = 40;  ///< more are folded

std::string milliseconds(double time) {
  return time == 0 ? "" : fmt::format("{:.{}f}", time, time < 0.1 ? 2 : time < 1000 ? 1 : 0);
}
std::string percent(const std::optional<double>& share) { return share ? fmt::format("{:.0f}", 100 * *share) : ""; }
std::string per_second(double amount, double milliseconds) {
  return amount == 0 || milliseconds == 0 ? "" : fmt::format("{:.1f}", amount / 1e6 / milliseconds);
}

Column numbers(std::string heading) { return {.heading = std::move(heading), .numbers = true}; }

void add_row(std::vector<Column>& table, const std::vector<std::string>& cells) {
  for (std::size_t i = 0; i < table.size(); ++i) table[i].cells.push_back(cells.at(i));
}

LayerTimes total_of(const std::vector<LayerTimes>& layers) {
  LayerTimes total{.layer = "all", .parts = {}};
  for (const LayerTimes& layer : layers) total += layer;
  return total;
}

/// What the numbers are held against.
std::string ceiling_text(const Profile& profile, const Ceilings& ceilings) {
  std::vector<std::string> known;
  const auto add = [&](const char* what, double a_second) {
    if (a_second > 0) known.push_back(fmt::format("{} {:.0f}", what, a_second / 1e9));
  };
  add("f32", ceilings.peak.f32);
  add("bf16", ceilings.peak.bf16);
  add("8-bit integers", ceilings.peak.integer);
  std::string text;
  for (const std::string& each : known) text += (text.empty() ? "peak, in G multiplications/s: " : ", ") + each;
  if (ceilings.bandwidth > 0) {
    text += fmt::format("{}memory {:.1f} GB/s", text.empty() ? "" : "; ", ceilings.bandwidth / 1e9);
  }
  if (const StepCeiling ceiling = ceiling_of(profile, ceilings); ceiling.milliseconds > 0) {
    text += fmt::format(
        "\nceiling of the step: {:.1f} ms, were each task as fast as its multiplications at the peak and its bytes at memory's "
        "bandwidth allow; it takes {:.2f} times as long{}",
        ceiling.milliseconds, profile.milliseconds() / ceiling.milliseconds,
        ceiling.all_peaks_known ? "" : " (products whose peak is not known count with their bytes)");
  }
  return text;
}

}  // namespace

std::string profile_table(const Profile& profile, const Ceilings& ceilings) {
  std::vector<LayerTimes> layers = by_matmul(layer_times(profile, ceilings));
  if (layers.size() > most_layers) layers = fold_blocks(layers);
  layers.push_back(total_of(layers));
  std::vector<Column> table = {{.heading = "layer"}, numbers("%"),      numbers("forward"), numbers("data"),
                               numbers("weights"),   numbers("passes"), numbers("peak %"),  numbers("mem %")};
  const double all = profile.milliseconds();
  for (const LayerTimes& layer : layers) {
    const LayerTimes::Sum sum = layer.all();
    const double others =
        layer.of(Part::passes).milliseconds + layer.of(Part::other).milliseconds + layer.of(Part::exchange).milliseconds;
    add_row(table,
            {printable(layer.layer), fmt::format("{:.1f}", 100 * sum.milliseconds / all),
             milliseconds(layer.of(Part::forward).milliseconds), milliseconds(layer.of(Part::backward_data).milliseconds),
             milliseconds(layer.of(Part::backward_weights).milliseconds), milliseconds(others), percent(sum.peak_share()),
             percent(sum.bandwidth_share())});
  }
  const std::size_t columns = std::min(most_columns, output_width(most_columns));
  fit_paths(table, columns);
  const std::string key =
      "ms of a step by layer: forward products, backward ones for data and for weights, passes and all else; % of the peak "
      "while multiplying (above 100: Winograd does fewer multiplications than it counts with), of memory's bandwidth in passes "
      "(above 100: from caches)";
  return wrapped(key, columns, 0) + qfw::table(table, columns) + wrapped(ceiling_text(profile, ceilings), columns, 0);
}

std::string whole_profile_table(const Profile& profile, const Ceilings& ceilings, std::size_t width) {
  std::vector<Column> table = {{.heading = "layer"}, {.heading = "part"}, numbers("tasks"), numbers("ms"),
                               numbers("%"),         numbers("G mult."),  numbers("G/s"),   numbers("peak %"),
                               numbers("MB"),        numbers("GB/s"),     numbers("mem %")};
  const double all = profile.milliseconds();
  std::vector<LayerTimes> layers = layer_times(profile, ceilings);
  layers.push_back(total_of(layers));
  for (const LayerTimes& layer : layers) {
    for (int i = 0; i < part_count; ++i) {
      const Part part = static_cast<Part>(i);
      const LayerTimes::Sum& sum = layer.of(part);
      if (sum.tasks == 0) continue;
      add_row(table, {printable(layer.layer), name_of(part), std::to_string(sum.tasks), fmt::format("{:.3f}", sum.milliseconds),
                      fmt::format("{:.1f}", 100 * sum.milliseconds / all),
                      sum.multiplications == 0 ? "" : fmt::format("{:.3f}", sum.multiplications / 1e9),
                      per_second(sum.multiplications, sum.milliseconds), percent(sum.peak_share()),
                      fmt::format("{:.1f}", sum.bytes / 1e6), per_second(sum.bytes, sum.milliseconds),
                      percent(sum.bandwidth_share())});
    }
  }
  return qfw::table(table, width) + wrapped(ceiling_text(profile, ceilings), width, 0);
}

}  // namespace qfw
