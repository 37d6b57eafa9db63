#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "qfw/confined.h"
#include "qfw/tensor.h"

/// Files of weights that other programs made, read in a child process (qfw/confined.h): whatever they hold, nothing of it is
/// run, and reading ends with values or one Error::Category::data.
namespace qfw {

/// Told by a file's first bytes, whatever its name.
enum class Container : std::uint8_t { hdf5, safetensors, torch_zip, torch_legacy, onnx };
const char* name_of(Container container);  ///< for people: "HDF5", "PyTorch (zip)"
/// Throws Error::Category::data for a file of none of these kinds, saying what it is where that can be told.
Container container_of(const RegularFile& file);

/// A tensor as its file describes it.
struct ListedTensor {
  std::string name;  ///< of files that nest: a path below the group, "state_dict/conv1.weight"
  std::string type;  ///< of its numbers: "32-bit float"
  std::vector<std::int64_t> extents;
  std::string str() const;  ///< "32-bit float [64, 3, 7, 7]"
};
/// All that the file holds below `group`, sorted by name. Throws Error::Category::data if there is no such group.
std::vector<ListedTensor> list_tensors(const std::filesystem::path& file, const std::string& group);

struct AskedTensor {
  std::string name;
  TensorType type;  ///< f32: stored as a float of any kind, rounded to nearest; s32: as integers that fit
};
struct FoundTensor {
  std::string otherwise;      ///< of another shape or type: which; then there are no values
  std::vector<float> values;  ///< as floats, whatever they are stored as
};
/// Those that are there, by name. Throws Error::Category::data if one is there and cannot be read.
std::map<std::string, FoundTensor> read_tensors(const std::filesystem::path& file, const std::string& group,
                                                std::span<const AskedTensor> asked);

}  // namespace qfw
