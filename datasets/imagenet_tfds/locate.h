#pragma once

#include <filesystem>
#include <string>

namespace qfw::tfds {

/// Which prepared data set is meant, and where to look for it.
struct Wanted {
  std::filesystem::path root;
  std::string dataset, config, version;  ///< `config` and `version` may be empty
  std::string image, label;              ///< features; empty: whichever is there
};

struct Located {
  std::filesystem::path path;  ///< of the folder with dataset_info.json
  std::string note;            ///< where one of several versions was taken
};

/// The root is that folder itself, the data_dir of TFDS, a data set's folder in it, or the folder of a configuration. Throws
/// Error::Category::data naming what lies there where nothing fits, or more than one does.
Located locate(const Wanted& wanted);

}  // namespace qfw::tfds
