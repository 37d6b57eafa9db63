#pragma once

#include <filesystem>

#include "unfinished.h"

namespace qfw {

/// What `qfw export --check` makes beside a file: a copy of it, and images with what it must make of them (model_check of
/// model.onnx, with model.onnx and test_data_set_0/ in it).
class CheckFolder {
 public:
  /// Of `model`. Throws Error::Category::usage if something is in the way that --check does not write, naming it.
  explicit CheckFolder(const std::filesystem::path& model);

  const std::filesystem::path& path() const { return path_; }  ///< the one that will be
  std::filesystem::path begin() const;                         ///< an empty one, to be filled
  void finish(const std::filesystem::path& model);             ///< it appears, with that file as its model

 private:
  std::filesystem::path foreign() const;

  std::filesystem::path path_, model_name_;
  Unfinished folder_;
};

}  // namespace qfw
