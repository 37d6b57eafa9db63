#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "files.h"

namespace qfw::tfds {

/// One TFRecord file: records by number, in the mapped file. Thread-safe.
class Shard {
 public:
  /// Throws Error::Category::data unless it holds `records` records.
  Shard(const std::filesystem::path& path, std::int64_t records, const std::filesystem::path& index_folder);

  /// Its data; `verify`: after comparing the checksum.
  std::span<const std::byte> record(std::int64_t number, bool verify) const;
  std::string place(std::int64_t number) const;  ///< "file, record 12 at offset 48123"

 private:
  MappedFile file_;
  std::vector<std::uint64_t> offsets_;
};

}  // namespace qfw::tfds
