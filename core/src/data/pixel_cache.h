#pragma once

#include <filesystem>
#include <map>

#include "data/corrupt.h"
#include "data/dataset_view.h"
#include "data/pixel_file.h"

namespace qfw {

/// Keeps the pixels of a data set (see Resized) in one file per split, which all processes of a machine map. Built by the first
/// that needs it, while the others wait, and gone on with if that was stopped. Named after what the data set looks like, so
/// another one, or a changed one, has another file.
class PixelCache final : public DatasetView {
 public:
  struct Settings {
    std::filesystem::path folder;  ///< empty: user_cache_folder()
    std::string identity;          ///< of the data set and of how its pixels are made; its examples are looked at besides
    int workers = 1;
  };
  /// `corrupt`, asked about examples that cannot be read while the file is made, outlives this.
  PixelCache(std::unique_ptr<Dataset> pixels, Settings settings, CorruptExamples& corrupt);

  /// Maps the file of a split, after making it if need be, with progress. Before get(), not during it.
  void prepare(std::string_view split);
  Example get(std::string_view split, std::int64_t index) const override;

  std::filesystem::path file(std::string_view split) const;

 private:
  std::uint64_t key(std::string_view split) const;
  void make(std::string_view split, const std::filesystem::path& file);

  Settings settings_;
  CorruptExamples& corrupt_;
  std::map<std::string, pixel_file::Reader, std::less<>> files_;
};

/// $XDG_CACHE_HOME/qfw, or .cache/qfw in the user's home.
std::filesystem::path user_cache_folder();

}  // namespace qfw
