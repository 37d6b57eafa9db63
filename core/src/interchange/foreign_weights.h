#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "qfw/format.h"

namespace qfw {

using Values = std::map<std::string, std::vector<float>, std::less<>>;  ///< by our names

/// What an HDF5 file (below `group`) holds for `variables`, by the names of `format`. State of quantizers may be missing as a
/// whole: then it is left out. Throws Error::Category::data for anything else that is missing, of another shape, or left over
/// below the groups that the format knows, naming theirs and ours.
Values read_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                            const std::vector<Variable>& variables);

/// The reverse, by rename.
void write_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                           const std::vector<Variable>& variables, const Checkpoint& checkpoint);

/// Whether a run that starts from these values quantizes activations at once: it has bounds, and none is -1, "not yet". Throws
/// Error::Category::data for bounds of a layer of which some are -1. `variables` are those that the values were read for.
bool has_all_bounds(const Values& values, const std::vector<Variable>& variables);

}  // namespace qfw
