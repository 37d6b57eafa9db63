#pragma once

#include <filesystem>
#include <string_view>

#include "qfw/augment.h"
#include "qfw/dataset.h"

namespace qfw {

struct ContactSheet {
  std::int64_t rows = 8, columns = 8;  ///< at most
  bool training = true;  ///< augmented, in the shuffled order of the first epoch; else as an evaluation sees them, in order
  std::uint64_t seed = 0;
};

/// A PNG of what the model sees, by rename. Levels are stretched so that the darkest and the brightest value of the sheet are
/// black and white.
void write_contact_sheet(const std::filesystem::path& file, const Dataset& dataset, const Augment& augment,
                         std::string_view split, const ContactSheet& sheet);

}  // namespace qfw
