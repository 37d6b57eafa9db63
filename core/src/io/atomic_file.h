#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace qfw {

/// A file that appears under its name only when complete: written under a temporary name in the same folder, then renamed.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();  ///< removes the temporary file unless it was committed

  const std::filesystem::path& temporary() const { return temporary_; }  ///< where to write
  void commit();  ///< fsync, rename, fsync of the folder; the writer has closed the file

 private:
  std::filesystem::path target_, temporary_;
  bool committed_ = false;
};

std::string read_text(const std::filesystem::path& path);
void write_text_atomically(const std::filesystem::path& path, std::string_view text);

/// Removes what killed processes left behind in `folder`. Only for one that nobody else writes to.
void remove_stale_temporaries(const std::filesystem::path& folder);

}  // namespace qfw
