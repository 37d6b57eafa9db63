#pragma once

#include <filesystem>

namespace qfw {

/// A name for a file or folder that is not finished, in the folder where it will be, with the ending it will have; gone with
/// the object unless finish() was called.
class Unfinished {
 public:
  explicit Unfinished(const std::filesystem::path& to);
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished();

  const std::filesystem::path& path() const { return path_; }
  /// It appears under its name, which no folder bears. Throws Error::Category::data if it cannot.
  void finish();

 private:
  std::filesystem::path to_, path_;
};

}  // namespace qfw
