#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/exporter.h"
#include "qfw/tensor.h"

namespace qfw::codes {

/// An array of the file. bf16 is stored as 16-bit integers, the upper halves of floats.
struct Array {
  std::string name;  ///< "stage1/block0/conv_1/weights/codes"
  TensorType type;
  std::vector<std::byte> bytes;  ///< row-major, little-endian
};

/// What both forms of the file hold.
struct Contents {
  std::vector<Array> arrays;
  std::string description;  ///< JSON (docs/deploy.md)
};

/// How thresholds are searched.
struct Search {
  bool on = true;
  bool every_sum = false;  ///< compare for each possible sum, however many there are; else see find_thresholds()
  /// Told as soon as it is known, a line for each tensor of activations: how it is made without floats, or why not.
  std::function<void(const std::string& line)> tell = [](const std::string&) {};
};

inline constexpr const char* description_name = "description.json";
inline constexpr const char* format_name = "qfw integer codes";

/// Throws Error::Category::usage, naming the layers and why, for a model with a product that is none of integers.
void require_integers(const FrozenModel& model);

/// What a description says beside the network; none: it is no description.
std::optional<Exporter::Written> written_in(std::string_view description);

Contents contents_of(const FrozenModel& model, const Exporter::Notes& notes, const Search& search);

}  // namespace qfw::codes
