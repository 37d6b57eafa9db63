#pragma once

#include <filesystem>
#include <functional>

#include "unfinished.h"

namespace qfw {

/// What `qfw export --check` makes beside a file: a copy of it, and images with what it must make of them (model_check of
/// model.onnx, with model.onnx and test_data_set_0/ in it).
class CheckFolder {
 public:
  /// Whether a file is one of the exporter's.
  using IsOurs = std::function<bool(const std::filesystem::path& file)>;
  /// Of `model`. Throws Error::Category::usage if something is in the way that --check does not write, naming it.
  CheckFolder(const std::filesystem::path& model, IsOurs is_ours);

  const std::filesystem::path& path() const { return path_; }  ///< the one that will be
  std::filesystem::path begin() const;                         ///< an empty one, to be filled
  /// It appears, with that file as its model. Throws as the constructor does.
  void finish(const std::filesystem::path& model);

 private:
  void refuse_foreign() const;
  std::filesystem::path foreign() const;

  std::filesystem::path path_, model_name_;
  IsOurs is_ours_;
  Unfinished folder_;
};

}  // namespace qfw
