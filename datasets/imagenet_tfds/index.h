#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "files.h"

namespace qfw::tfds {

/// Where each record of a TFRecord shard begins, as far as it can be told.
struct Records {
  std::vector<std::uint64_t> offsets;
  std::uint64_t end = 0;  ///< of the last of them
  std::string fault;      ///< why there are no more, naming record and offset, where the file ends early or a length is damaged
};

/// Walks from length to length, whose checksums it compares.
Records scan_records(const RegularFile& shard);

/// The same from an index file in `folder`, if there is one made from this very shard (its path, size and time of change);
/// else scans and, where there is no fault, leaves one there. A folder that cannot be written only costs the scan. Empty
/// `folder`: none is kept.
Records index_of(const RegularFile& shard, const std::filesystem::path& folder);

}  // namespace qfw::tfds
