#include "shard.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <vector>

#include "crc32c.h"
#include "qfw/error.h"

namespace qfw::tfds {

namespace {

constexpr const char* remedy = "fetch or make this shard again";
constexpr std::uint64_t most_bytes = 1 << 30;  ///< of a record

/// The thread's buffer again, unless its last record is still held: fresh memory costs more than reading from the page cache.
std::shared_ptr<std::vector<std::byte>> buffer(std::size_t size) {
  thread_local std::shared_ptr<std::vector<std::byte>> last;
  const bool free = last != nullptr && last.use_count() == 1;
  std::atomic_thread_fence(std::memory_order_acquire);  // whoever let go of it was done reading
  if (!free || last->size() < size) last = std::make_shared<std::vector<std::byte>>(size);
  return last;
}

}  // namespace

Shard::Shard(const std::filesystem::path& path, std::int64_t records, const std::filesystem::path& index_folder)
    : file_(path), records_(index_of(file_, index_folder)) {
  const auto found = static_cast<std::int64_t>(records_.offsets.size());
  if (found == 0 && records > 0) {
    if (const std::string what = disguise_of(file_); !what.empty())
      fail(Error::Category::data, "tfds", "this is no shard of TFRecords: " + what, path.string());
  }
  const std::string counts = fmt::format("the shard holds {} records, dataset_info.json says {}", found, records);
  if (found > records) fail(Error::Category::data, "tfds", counts, path.string(), remedy);
  if (found == records && !records_.fault.empty()) {
    fail(Error::Category::data, "tfds",
         fmt::format("more follows the {} records that dataset_info.json names: {}", records, records_.fault), path.string(),
         remedy);
  }
  if (found < records && records_.fault.empty()) records_.fault = counts;
}

std::string Shard::place(std::int64_t number) const {
  const auto i = static_cast<std::size_t>(number);
  return i < records_.offsets.size()
             ? fmt::format("{}, record {} at offset {}", file_.path().string(), number, records_.offsets[i])
             : fmt::format("{}, record {}", file_.path().string(), number);
}

Shard::Record Shard::record(std::int64_t number, bool verify) const {
  const auto i = static_cast<std::size_t>(number);
  const auto& offsets = records_.offsets;
  if (i >= offsets.size()) {
    fail(Error::Category::data, "tfds", "the record cannot be reached: " + records_.fault, place(number), remedy);
  }
  const std::uint64_t size = (i + 1 < offsets.size() ? offsets[i + 1] : records_.end) - offsets[i];
  if (size > most_bytes) {
    fail(Error::Category::data, "tfds", fmt::format("the record has {} bytes, at most {} are taken", size, most_bytes),
         place(number), remedy);
  }
  const auto bytes = buffer(size);
  const std::span<std::byte> frame = std::span(*bytes).first(size);
  file_.read(offsets[i], frame);
  std::uint64_t length;
  std::uint32_t sum;
  std::memcpy(&length, frame.data(), sizeof length);
  if (length != size - 16)
    fail(Error::Category::data, "tfds", "the shard has changed while it was open", place(number), remedy);
  const auto data = frame.subspan(12, length);
  std::memcpy(&sum, data.data() + length, sizeof sum);
  if (verify && sum != masked_crc32c(data)) {
    fail(Error::Category::data, "tfds", "the record's data do not fit their checksum", place(number), remedy);
  }
  return {bytes, data};
}

}  // namespace qfw::tfds
