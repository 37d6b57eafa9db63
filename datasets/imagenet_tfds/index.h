#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "files.h"

namespace qfw::tfds {

/// Where each record of a TFRecord shard begins: walks from length to length, whose checksums it compares. Throws
/// Error::Category::data naming record and offset where the file ends early or a length is damaged.
std::vector<std::uint64_t> scan_records(const MappedFile& shard);

/// The same from an index file in `folder`, if there is one made from this very shard (its path, size and time of change);
/// else scans and leaves one there. A folder that cannot be written only costs the scan. Empty `folder`: none is kept.
std::vector<std::uint64_t> index_of(const MappedFile& shard, const std::filesystem::path& folder);

}  // namespace qfw::tfds
