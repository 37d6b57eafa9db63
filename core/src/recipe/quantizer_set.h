#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/quantizer.h"
#include "recipe/recipe.h"

namespace qfw {

/// The quantizers of a model's layers, one for each distinct set of options. Immutable, so any thread may ask.
class QuantizerSet {
 public:
  /// `paths` are those of all the model's layers. Throws Error::Category::usage for each [layer:GLOB] that matches none of
  /// them; what a quantizer's constructor throws is given the section, file and line that had the last say.
  QuantizerSet(const Recipe& recipe, std::span<const std::string> paths);
  QuantizerSet(const QuantizerSet&) = delete;
  QuantizerSet& operator=(const QuantizerSet&) = delete;

  /// Throws for a path that the model did not have.
  const Quantizer& quantizer_for(std::string_view path) const;
  /// In the order in which the layers first use them.
  const std::vector<std::unique_ptr<const Quantizer>>& all() const { return all_; }

  std::vector<Phase> phases(const Clock& clock) const;  ///< one for each of all()
  std::string phase_text(const Clock& clock) const;     ///< distinct names, for people
  /// What they want shown of each layer, by full names.
  std::vector<Quantizer::Observed> observed() const;

 private:
  std::vector<std::unique_ptr<const Quantizer>> all_;
  std::map<std::string, std::size_t, std::less<>> by_path_;
};

}  // namespace qfw
