#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "run/session.h"

namespace qfw {

/// What a run is trained and evaluated on, as text for its checkpoints: class names, and of each split the number of examples
/// and Dataset::Identity::content. Equal wherever the data lie.
std::string data_record(Session& session);

/// Compares the record in a checkpoint, if it has one, with what is found now. Another number of classes is refused
/// (Category::usage); everything else that differs is said in one warning.
void check_same_data(std::string_view recorded, std::string_view found, const Recipe& recipe,
                     const std::filesystem::path& checkpoint);

}  // namespace qfw
