#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "qfw/confined.h"
#include "qfw/tensor.h"

namespace qfw {

/// What another program's HDF5 file holds of the tensors that are asked for, read in a child process (qfw/confined.h).
struct ForeignTensors {
  struct Found {
    std::string otherwise;      ///< of another shape or type: which; then there are no values
    std::vector<float> values;  ///< as floats, whatever they are stored as
  };
  std::vector<std::string> names;  ///< paths of all data sets below the group, sorted
  std::map<std::string, Found> found;
};
struct AskedTensor {
  std::string path;  ///< below the group
  TensorType type;   ///< f32: stored as a float of any kind; s32: as integers that fit
};

/// Throws Error::Category::data if there is no such group, or a tensor is there and cannot be read.
ForeignTensors read_foreign_tensors(const std::filesystem::path& file, const std::string& group,
                                    std::span<const AskedTensor> asked);

}  // namespace qfw
