#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/dataset.h"

namespace qfw {

/// What a look at every example of a split found.
struct Survey {
  std::int64_t records = 0, bytes = 0;
  std::map<std::string, std::int64_t> encodings;  ///< "jpeg", "png", "pixels"
  std::vector<std::int64_t> histogram;            ///< examples of each class
  std::int64_t unlabelled = 0;                    ///< whose label is -1: no fault where all are, else they are among the bad
  std::int64_t bad = 0;                           ///< that could not be read, or decoded, or have an impossible label
  std::vector<std::string> errors;                ///< of the first of them
};

enum class Depth { read, decode };  ///< whether pictures are decoded, too

/// On several threads, with progress. Throws Error::Category::interrupted on Ctrl-C under an InterruptGuard.
Survey survey(const Dataset& dataset, std::string_view split, Depth depth, int workers);

/// The examples that can be read and decoded, by number.
std::vector<std::int64_t> readable_examples(const Dataset& dataset, std::string_view split, int workers);

}  // namespace qfw
