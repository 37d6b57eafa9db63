#pragma once

#include <zip.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "qfw/regular_file.h"

namespace qfw {

/// A zip archive that somebody else made, of entries that are stored as they are; for use in a child process. Failures are
/// Error::Category::data.
class ZipArchive {
 public:
  explicit ZipArchive(const RegularFile& file);

  std::span<const std::string> names() const { return names_; }  ///< sorted
  bool has(const std::string& name) const;
  /// Its bytes, checksum verified. Throws for one that is not there, compressed, encrypted, or larger than `most`.
  std::vector<std::byte> read(const std::string& name, std::uint64_t most) const;

 private:
  [[noreturn]] void damaged(const std::string& what) const;

  std::string place_;
  std::unique_ptr<zip_t, void (*)(zip_t*)> archive_;
  std::vector<std::string> names_;
};

}  // namespace qfw
