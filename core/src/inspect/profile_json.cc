#include "inspect/profile_json.h"

#include <boost/json.hpp>

#include "inspect/layer_times.h"
#include "io/json.h"

namespace qfw {

namespace {

namespace json = boost::json;

json::value known(double number) { return number > 0 ? json::value(number) : json::value(nullptr); }

json::object to_json(const LayerTimes& layer, Part part, double all) {
  const LayerTimes::Sum& sum = layer.of(part);
  const double seconds = sum.milliseconds / 1000;
  json::object row;
  row["layer"] = layer.layer;
  row["part"] = name_of(part);
  row["tasks"] = sum.tasks;
  row["milliseconds"] = sum.milliseconds;
  row["share"] = all > 0 ? sum.milliseconds / all : 0;
  row["multiplications"] = sum.multiplications;
  row["multiplications_per_second"] = seconds > 0 ? known(sum.multiplications / seconds) : json::value(nullptr);
  row["peak_share"] = or_null(sum.peak_share());
  row["bytes"] = sum.bytes;
  row["bytes_per_second"] = seconds > 0 ? known(sum.bytes / seconds) : json::value(nullptr);
  row["bandwidth_share"] = or_null(sum.bandwidth_share());
  return row;
}

}  // namespace

json::object profile_json(const Profile& profile, const Ceilings& ceilings) {
  const double all = profile.milliseconds();
  json::array layers;
  for (const LayerTimes& layer : layer_times(profile, ceilings)) {
    for (int part = 0; part < part_count; ++part) {
      if (layer.of(static_cast<Part>(part)).tasks > 0) layers.push_back(to_json(layer, static_cast<Part>(part), all));
    }
  }
  json::object result;
  result["milliseconds"] = all;
  const StepCeiling ceiling = ceiling_of(profile, ceilings);
  result["ceiling_milliseconds"] = known(ceiling.milliseconds);
  result["ceiling_has_all_peaks"] = ceiling.all_peaks_known;
  result["multiplications_per_second_at_peak"] = {
      {"f32", known(ceilings.peak.f32)}, {"bf16", known(ceilings.peak.bf16)}, {"integer", known(ceilings.peak.integer)}};
  result["bandwidth"] = known(ceilings.bandwidth);
  result["layers"] = std::move(layers);
  return result;
}

}  // namespace qfw
