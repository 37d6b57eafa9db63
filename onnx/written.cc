#include "qfw/onnx/written.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>

#include "metadata.h"
#include "onnx.pb.h"

namespace qfw::onnx {

namespace {

bool parse(std::span<const std::byte> bytes, pb::ModelProto& model) {
  const bool fits = !bytes.empty() && bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  return fits && model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

using Texts = std::map<std::string, std::string>;

/// Whether the metadata of both files agree; else which do not.
std::string difference_of_metadata(const pb::ModelProto& a, const pb::ModelProto& b) {
  const auto texts = [](const pb::ModelProto& model) {
    Texts all;
    for (const pb::StringStringEntryProto& entry : model.metadata_props()) all.emplace(entry.key(), entry.value());
    return all;
  };
  const Texts of_a = texts(a), of_b = texts(b);
  for (const auto& [key, text] : of_b) {
    const auto found = of_a.find(key);
    if (found == of_a.end()) return fmt::format("metadata {} are missing", key);
    if (found->second != text) return fmt::format("metadata {} differ", key);
  }
  for (const auto& [key, text] : of_a) {
    if (!of_b.contains(key)) return fmt::format("metadata {} should not be there", key);
  }
  return {};
}

/// Likewise of parts that have names, in their order.
template <class Parts>
std::string difference_of_parts(const char* what, const Parts& a, const Parts& b) {
  for (int i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (i >= b.size()) return fmt::format("{} {} should not be there", what, a[i].name());
    if (i >= a.size() || a[i].name() != b[i].name()) return fmt::format("{} {} is not in its place", what, b[i].name());
    if (a[i].SerializeAsString() != b[i].SerializeAsString()) return fmt::format("{} {} differs", what, b[i].name());
  }
  return {};
}

}  // namespace

std::optional<Exporter::Written> written(std::span<const std::byte> bytes) {
  pb::ModelProto model;
  if (!parse(bytes, model) || model.producer_name() != producer) return {};
  Exporter::Written found;
  Texts known;
  for (const pb::StringStringEntryProto& entry : model.metadata_props()) {
    if (!entry.key().starts_with(metadata_prefix)) continue;
    const std::string name = entry.key().substr(metadata_prefix.size());
    if (is_of_model(name)) {
      known[name] = entry.value();
    } else {
      found.notes.emplace_back(name, entry.value());
    }
  }
  if (!known.contains("form")) return {};
  const std::string& step = known["step"];
  std::from_chars(step.data(), step.data() + step.size(), found.provenance.step);
  found.provenance.qfw = known["version"];
  found.provenance.recipe = known["recipe"];
  found.provenance.checkpoint = known["checkpoint"];
  found.provenance.phase = known["phase"];
  return found;
}

Exporter::Difference difference(std::span<const std::byte> bytes, std::span<const std::byte> other) {
  if (std::ranges::equal(bytes, other)) return {};
  pb::ModelProto a, b;
  if (!parse(bytes, a) || !parse(other, b)) return {.what = "one of them is no ONNX file"};
  if (std::string found = difference_of_metadata(a, b); !found.empty()) return {.what = found};
  if (std::string found = difference_of_parts("input", a.graph().input(), b.graph().input()); !found.empty())
    return {.what = found};
  if (std::string found = difference_of_parts("output", a.graph().output(), b.graph().output()); !found.empty())
    return {.what = found};
  if (std::string found = difference_of_parts("initializer", a.graph().initializer(), b.graph().initializer()); !found.empty())
    return {.what = found, .computed = true};
  if (std::string found = difference_of_parts("node", a.graph().node(), b.graph().node()); !found.empty())
    return {.what = found, .computed = true};
  const auto at = std::ranges::mismatch(bytes, other).in1 - bytes.begin();
  return {.what = fmt::format("byte {} of {} differs", at, bytes.size())};
}

}  // namespace qfw::onnx
