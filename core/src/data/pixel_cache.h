#pragma once

#include <filesystem>
#include <map>
#include <mutex>

#include "data/corrupt.h"
#include "data/dataset_view.h"
#include "data/pixel_file.h"

namespace qfw {

/// Keeps the pixels of a data set (see Resized) in one file per split, which all processes of a machine share. Built by the
/// first that needs it, while the others wait, and gone on with if that was stopped. Named after the settings and after the
/// data set's identity, so one whose files changed has another file; what a data set without `storage` holds is read through to
/// tell.
class PixelCache final : public DatasetView {
 public:
  struct Settings {
    std::filesystem::path folder;  ///< empty: user_cache_folder()
    std::string identity;          ///< of the data set's settings and of how its pixels are made
    int workers = 1;
  };
  /// `corrupt`, asked about examples that cannot be read while the file is made, outlives this.
  PixelCache(std::unique_ptr<Dataset> pixels, Settings settings, CorruptExamples& corrupt);

  /// Opens the file of a split, after making it if need be, with progress. A damaged one is made anew. Before get(), not during
  /// it.
  void prepare(std::string_view split);
  /// From the data set itself where the file holds no picture, or a damaged one.
  Example get(std::string_view split, std::int64_t index) const override;

 private:
  struct File {
    File(std::filesystem::path path, std::uint64_t key, std::int64_t count)
        : path(std::move(path)), reader(this->path, key, count) {}
    std::filesystem::path path;
    pixel_file::Reader reader;
    mutable std::once_flag damage_told{};
  };
  std::uint64_t key(std::string_view split) const;
  void make(std::string_view split, const std::filesystem::path& file, std::uint64_t key);
  void make_if_missing(std::string_view split, const std::filesystem::path& file, std::uint64_t key);

  Settings settings_;
  CorruptExamples& corrupt_;
  std::map<std::string, File, std::less<>> files_;
};

}  // namespace qfw
