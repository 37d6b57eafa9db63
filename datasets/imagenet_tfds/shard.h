#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "files.h"
#include "index.h"

namespace qfw::tfds {

/// One TFRecord file: records by number. Thread-safe.
class Shard {
 public:
  /// `records`: how many there should be. Of a shard that is damaged or ends early what comes before can be read. Throws
  /// Error::Category::data where it cannot be read at all, or holds more, be it only part of a record.
  Shard(const std::filesystem::path& path, std::int64_t records, const std::filesystem::path& index_folder);

  struct Record {
    std::shared_ptr<const void> owner;
    std::span<const std::byte> data;  ///< lives as long as the owner
  };
  /// `verify`: after comparing the checksum.
  Record record(std::int64_t number, bool verify) const;
  std::string place(std::int64_t number) const;  ///< "file, record 12 at offset 48123"; without offset where there is none

 private:
  RegularFile file_;
  Records records_;
};

}  // namespace qfw::tfds
