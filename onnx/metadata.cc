#include "metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string_view>

namespace qfw::onnx {

namespace {

/// Bytes of the UTF-8 character at the beginning; 0: there is none.
std::size_t character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  if (byte(0) < 0x80) return 1;
  const std::size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xf0 && byte(1) < 0x90);
  const bool beyond = (byte(0) == 0xed && byte(1) > 0x9f) || (byte(0) == 0xf4 && byte(1) > 0x8f);
  return overlong || beyond ? 0 : length;
}

/// ONNX's strings are UTF-8: a byte that is not becomes the text `\xe4`.
std::string in_utf8(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = character(text);
    if (length == 0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

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

}  // namespace

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
      entry->set_key("qfw." + in_utf8(name));
    }
    entry->set_value(in_utf8(text));
  }
}

}  // namespace qfw::onnx
