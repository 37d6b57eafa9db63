#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "locate.h"

/// What dataset_info.json, features.json and the label file of a TFDS folder say.
namespace qfw::tfds {

struct SplitInfo {
  std::string name;
  std::vector<std::int64_t> shard_lengths;
  std::vector<std::filesystem::path> shards;

  std::int64_t examples() const;
};

struct FolderInfo : Located {
  std::vector<SplitInfo> splits;
  std::string image_key, label_key, name_key;  ///< names of the features; name_key may be empty
  std::vector<std::string> class_names;
};

/// Throws Error::Category::data saying what is missing or unfit.
FolderInfo read_folder(const Wanted& wanted);

}  // namespace qfw::tfds
