#include "metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "qfw/text.h"

namespace qfw::onnx {

namespace {

std::string json(std::string_view text) {
  std::string result = "\"";
  for (const char each : in_utf8(text)) {
    if (each == '"' || each == '\\') {
      result += {'\\', each};
    } else if (static_cast<unsigned char>(each) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned char>(each));
    } else {
      result += each;
    }
  }
  return result + '"';
}

std::string json(const image::Preparation& of) {
  return fmt::format(
      R"({{"height": {}, "width": {}, "channels": {}, "fit": "{}", "filter": "{}", "margin": {}, "bgr": {}, "mean": [{}], "stddev": [{}]}})",
      of.height, of.width, of.channels, name_of(of.fit), name_of(of.filter), of.margin, of.bgr, fmt::join(of.mean, ", "),
      fmt::join(of.stddev, ", "));
}

std::string json(const std::vector<std::string>& texts) {
  std::vector<std::string> all;
  for (const std::string& text : texts) all.push_back(json(text));
  return fmt::format("[{}]", fmt::join(all, ", "));
}

std::string grids_of(const Graph& graph) {
  std::vector<std::string> all;
  for (const QuantizedSite& site : graph.sites) {
    if (!site.integer || !site.src.grid || !site.weights.grid) continue;
    all.push_back(fmt::format("{}: [{}, {}, {}, {}]", json(site.path), site.src.grid->low, site.src.grid->high,
                              site.weights.grid->low, site.weights.grid->high));
  }
  return fmt::format("{{{}}}", fmt::join(all, ", "));
}

/// What add_metadata() takes from the model, not from the notes.
constexpr std::array of_model{"form", "version", "recipe", "checkpoint", "step", "phase", "preparation", "labels", "grids"};

}  // namespace

bool is_of_model(std::string_view name) { return std::ranges::find(of_model, name) != of_model.end(); }

void add_metadata(pb::ModelProto& file, const FrozenModel& model, const char* form, const Exporter::Promise& promise,
                  const Exporter::Notes& notes) {
  std::vector<std::pair<std::string, std::string>> all{
      {"form", form},
      {"guarantee", promise.equal ? "equal by construction, not compared with a runtime" : "close: " + promise.reason},
      {"version", model.provenance.qfw},
      {"recipe", model.provenance.recipe},
      {"checkpoint", model.provenance.checkpoint},
      {"step", std::to_string(model.provenance.step)},
      {"phase", model.provenance.phase}};
  if (model.preparation) all.emplace_back("preparation", json(*model.preparation));
  if (!model.labels.empty()) all.emplace_back("labels", json(model.labels));
  all.emplace_back("grids", grids_of(model.graph));
  all.insert(all.end(), notes.begin(), notes.end());

  std::map<std::string, pb::StringStringEntryProto*> added;
  for (const auto& [name, text] : all) {
    pb::StringStringEntryProto*& entry = added[name];
    if (entry == nullptr) {
      entry = file.add_metadata_props();
      entry->set_key(std::string(metadata_prefix) + in_utf8(name));
    }
    entry->set_value(in_utf8(text));
  }
}

}  // namespace qfw::onnx
