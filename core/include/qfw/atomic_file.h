#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// A file that appears under its name only when complete: written under a temporary name in the same folder, then renamed.
///
/// Errors: every system call is checked. What fails is an Error::Category::data that names the target, the cause and a remedy;
/// the temporary is gone with the object, and a file that bore the name before is untouched. Interrupted calls and short writes
/// go on. Durability: once commit() returned, the file and its name survive a power cut; before, the old file does, or none.
/// Threads: an object belongs to one thread at a time; objects are independent of each other, also those of one target.
class QFW_API AtomicFile {
 public:
  /// Refuses a target that is there and is no regular file: a folder, a device, a pipe.
  explicit AtomicFile(std::filesystem::path target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();  ///< removes the temporary unless it was committed

  const std::filesystem::path& target() const { return target_; }

  void write(std::span<const std::byte> bytes);  ///< at the end; small pieces are gathered
  void write(std::string_view text);
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);  ///< anywhere, beyond the end too
  void read_at(std::uint64_t offset, std::span<std::byte> to);            ///< what was written; zeros beyond the end

  enum class Sync { now, later };
  /// The file appears. `later`: it is durable after the caller's sync_file_system(), one call for thousands of small files.
  void commit(Sync sync = Sync::now);

 private:
  void flush();
  [[noreturn]] void failed(int error) const;

  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
  std::uint64_t end_ = 0;  ///< of what write() has passed on
  std::string pending_;
};

QFW_API void write_text_atomically(const std::filesystem::path& path, std::string_view text);

/// Makes `target` another name of the regular file `existing`, a copy where links are impossible; by rename, durable.
QFW_API void link_atomically(const std::filesystem::path& existing, const std::filesystem::path& target);

/// Waits until all that was written to the file system of `folder` would survive a power cut.
QFW_API void sync_file_system(const std::filesystem::path& folder);
/// The same for the names in one folder: files made, renamed or removed there.
QFW_API void sync_folder(const std::filesystem::path& folder);

/// Removes what killed processes left behind in `folder`. Only for one that nobody else writes to.
QFW_API void remove_stale_temporaries(const std::filesystem::path& folder);

/// Throws Error::Category::data for a file that could not be written: "cannot write PATH: CAUSE; remedy", by the errno.
[[noreturn]] QFW_API void fail_writing(const std::filesystem::path& path, int error);

}  // namespace qfw
