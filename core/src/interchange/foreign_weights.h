#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "qfw/format.h"

namespace qfw {

using Values = std::map<std::string, std::vector<float>, std::less<>>;  ///< by our names

/// What becomes of a file's weights that are not quite the network's.
struct Adaptation {
  std::vector<std::string> fresh{};  ///< paths of layers that take nothing from the file: "dense"
  std::string grey{};  ///< a convolution's kernel of which the file's is summed over its input channels; empty: none
};

/// What a file of weights (below `group`; io/weights_file.h) holds for `variables`, by the names of `format`. State of
/// quantizers may be missing as a whole: then it is left out. Throws Error::Category::data for anything else that is missing,
/// of another shape, or left over and not incidental, naming theirs and ours, and for values that no network can have.
Values read_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                            const std::vector<Variable>& variables, const Adaptation& adaptation = {});

/// The reverse, by rename.
void write_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                           const std::vector<Variable>& variables, const Checkpoint& checkpoint);

/// Whether a run that starts from these values quantizes activations at once: it has bounds, and none is -1, "not yet". Throws
/// Error::Category::data for bounds of a layer of which some are -1. `variables` are those that the values were read for.
bool has_all_bounds(const Values& values, const std::vector<Variable>& variables);

}  // namespace qfw
