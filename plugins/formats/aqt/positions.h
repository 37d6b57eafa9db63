#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qfw::aqt {

/// Where the values of a JSON text stand, for messages.
class Positions {
 public:
  Positions() = default;
  explicit Positions(std::string_view text);  ///< valid JSON

  /// "line 3, column 14" of a value: "model_hparams.residual_blocks[0].conv_1". Of one that is not there, what it would be in;
  /// empty for the whole.
  std::string of(std::string_view path) const;
  /// Paths and offsets of keys that came before in their object: JSON does not say which one counts.
  const std::vector<std::pair<std::string, std::size_t>>& repeated() const { return repeated_; }
  std::string at(std::size_t offset) const;

 private:
  struct Scan;
  std::string text_;
  std::map<std::string, std::size_t, std::less<>> offsets_;
  std::vector<std::pair<std::string, std::size_t>> repeated_;
};

/// What is wrong with a text that is no JSON, and where.
std::string syntax_fault(std::string_view text);

}  // namespace qfw::aqt
