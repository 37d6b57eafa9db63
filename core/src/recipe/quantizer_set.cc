#include "recipe/quantizer_set.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "qfw/error.h"
#include "recipe/glob.h"
#include "recipe/resolved.h"

namespace qfw {
namespace {

/// Equal for equal settings only.
std::string key_of(const Settings& settings) {
  std::string key;
  for (const auto& [name, value] : settings) key += fmt::format("{}={}:{}\n", name, value.index(), to_string(value));
  return key;
}

/// What decided the options of a layer.
std::string place_of(const recipe::Resolved& resolved, std::string_view path) {
  const recipe::Section& section = resolved.section("quantizer");
  std::string place = fmt::format("{}: quantizer.{}: {}", section.place.str(), section.key, section.chosen);
  for (const recipe::Rule& rule : resolved.rules) {
    if (!glob_match(rule.glob, path)) continue;
    place = fmt::format("{}: [layer:{}]: {} of {}", rule.place.str(), rule.glob, section.chosen, path);
  }
  return place;
}

}  // namespace

QuantizerSet::QuantizerSet(const Recipe& recipe, std::span<const std::string> paths) {
  const recipe::Resolved& resolved = *recipe.resolved_;
  recipe::Problems problems;
  recipe::check_globs(resolved, paths, problems);
  problems.raise();
  const auto& factory = dynamic_cast<const Factory<Quantizer>&>(recipe.factory(Quantizer::kind));
  std::map<std::string, std::size_t> by_settings;
  for (const std::string& path : paths) {
    const Settings settings = resolved.quantizer_settings(path);
    const auto [entry, fresh] = by_settings.try_emplace(key_of(settings), all_.size());
    if (fresh) {
      try {
        all_.push_back(factory.make(settings));
      } catch (const std::exception& error) {
        recipe::rethrow(place_of(resolved, path), error);
      }
    }
    by_path_.emplace(path, entry->second);
  }
}

const Quantizer& QuantizerSet::quantizer_for(std::string_view path) const {
  const auto found = by_path_.find(path);
  if (found != by_path_.end()) return *all_[found->second];
  fail(Error::Category::graph, "quantizer",
       fmt::format("there is no quantizer for '{}': the model did not have this layer", path), fmt::format("layer {}", path),
       "let the model build the same layers every time");
}

std::vector<Phase> QuantizerSet::phases(const Clock& clock) const {
  std::vector<Phase> phases;
  for (const auto& quantizer : all_) phases.push_back(quantizer->phase(clock));
  return phases;
}

std::string QuantizerSet::phase_text(const Clock& clock) const {
  std::vector<std::string> names;
  for (const auto& quantizer : all_) {
    const std::string name = quantizer->phase_name(quantizer->phase(clock));
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return fmt::format("{}", fmt::join(names, " | "));
}

std::vector<Quantizer::Observed> QuantizerSet::observed() const {
  std::vector<Quantizer::Observed> all;
  for (const auto& [path, index] : by_path_) {
    for (const Quantizer::Observed& each : all_[index]->observed()) {
      all.push_back({path + "/" + each.variable, path + "/" + each.tag});
    }
  }
  return all;
}

}  // namespace qfw
