#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
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
  /// Members of an object whose key came before: JSON does not say which one counts.
  const std::vector<std::string>& repeated() const { return repeated_; }

 private:
  struct Scan;
  std::string text_;
  std::map<std::string, std::size_t, std::less<>> offsets_;
  std::vector<std::string> repeated_;
};

/// What is wrong with a text that is no JSON, and where.
std::string syntax_fault(std::string_view text);

}  // namespace qfw::aqt
