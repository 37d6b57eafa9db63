#include "index.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <optional>

#include "crc32c.h"
#include "qfw/atomic_file.h"
#include "qfw/random.h"

namespace qfw::tfds {

namespace {

constexpr std::size_t frame = 16;  // length, its checksum, the data's checksum

struct Header {
  std::uint64_t magic = 0x0031'5844'4e49'4651;  // "QFINDX1"
  std::uint64_t size = 0;
  std::int64_t modified = 0;
  std::uint64_t path = 0, count = 0;    ///< `path` as a hash
  std::uint32_t sum = 0, reserved = 0;  ///< of the offsets
};

Header expected(const RegularFile& shard) {
  Header header;
  header.size = shard.size();
  header.modified = shard.modified();
  header.path = hash_of(std::filesystem::absolute(shard.path()).string());
  return header;
}

std::optional<std::vector<std::uint64_t>> read_index(const std::filesystem::path& file, const Header& wanted) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  const RegularFile index(file);
  Header found;
  if (index.size() < sizeof found) return std::nullopt;
  index.read(0, std::as_writable_bytes(std::span(&found, 1)));
  const std::uint64_t bytes = index.size() - sizeof found;
  if (found.magic != wanted.magic || found.size != wanted.size || found.modified != wanted.modified ||
      found.path != wanted.path || bytes % sizeof(std::uint64_t) != 0 || found.count != bytes / sizeof(std::uint64_t)) {
    return std::nullopt;
  }
  std::vector<std::uint64_t> offsets(found.count);
  index.read(sizeof found, std::as_writable_bytes(std::span(offsets)));
  if (found.sum != crc32c(std::as_bytes(std::span(offsets)))) return std::nullopt;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::uint64_t end = i + 1 < offsets.size() ? offsets[i + 1] : wanted.size;
    if (end < frame || offsets[i] > end - frame) return std::nullopt;
  }
  return offsets;
}

void write_index(const std::filesystem::path& file, Header header, const std::vector<std::uint64_t>& offsets) {
  const auto bytes = std::as_bytes(std::span(offsets));
  header.count = offsets.size();
  header.sum = crc32c(bytes);
  std::filesystem::create_directories(file.parent_path());
  AtomicFile index(file);
  index.write(std::as_bytes(std::span(&header, 1)));
  index.write(bytes);
  index.commit();
}

}  // namespace

Records scan_records(const RegularFile& shard) {
  Records records;
  while (records.end < shard.size()) {
    const std::uint64_t at = records.end;
    const auto broken = [&](const std::string& what) {
      records.fault = fmt::format("{} at record {}, offset {}", what, records.offsets.size(), at);
      return records;
    };
    const std::uint64_t left = shard.size() - at;
    if (left < frame) return broken(fmt::format("the shard ends within a record ({} bytes are left)", left));
    std::array<std::byte, 12> head;
    shard.read(at, std::as_writable_bytes(std::span(head)));
    std::uint64_t length;
    std::uint32_t sum;
    std::memcpy(&length, head.data(), sizeof length);
    std::memcpy(&sum, head.data() + sizeof length, sizeof sum);
    if (sum != masked_crc32c(std::span(head).first(sizeof length))) return broken("a length does not fit its checksum");
    if (length > left - frame)
      return broken(fmt::format("the shard ends within a record (it has {} bytes, {} are left)", length, left - frame));
    records.offsets.push_back(at);
    records.end = at + frame + length;
  }
  return records;
}

Records index_of(const RegularFile& shard, const std::filesystem::path& folder) {
  if (folder.empty()) return scan_records(shard);
  const Header header = expected(shard);
  const auto file = folder / fmt::format("{:016x}.index", header.path);
  try {
    if (auto offsets = read_index(file, header)) return {.offsets = std::move(*offsets), .end = shard.size(), .fault = {}};
  } catch (const std::exception&) {
    // an index that cannot be read is made again
  }
  Records records = scan_records(shard);
  if (!records.fault.empty()) return records;
  try {
    write_index(file, header, records.offsets);
  } catch (const std::exception&) {
    // the next start scans again
  }
  return records;
}

}  // namespace qfw::tfds
