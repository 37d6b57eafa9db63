#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "qfw/frozen_model.h"

namespace qfw::predict {

/// What a file of `qfw export` in the form `exact` holds.
struct ModelFile {
  FrozenModel model;  ///< for one image at a time
  std::string form;
  std::string guarantee;  ///< may be empty
};

/// Throws Error::Category::data, naming what is wrong with it and where, for any other file.
ModelFile model_file(const std::filesystem::path& path);
ModelFile model_bytes(std::span<const std::byte> bytes);

}  // namespace qfw::predict
