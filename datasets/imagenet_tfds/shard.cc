#include "shard.h"

#include <fmt/format.h>

#include <cstring>

#include "crc32c.h"
#include "qfw/error.h"

namespace qfw::tfds {

namespace {

constexpr const char* remedy = "fetch or make this shard again";

}  // namespace

Shard::Shard(const std::filesystem::path& path, std::int64_t records, const std::filesystem::path& index_folder)
    : file_(path), records_(index_of(file_, index_folder)) {
  const auto found = static_cast<std::int64_t>(records_.offsets.size());
  const std::string counts = fmt::format("the shard holds {} records, dataset_info.json says {}", found, records);
  if (found > records) fail(Error::Category::data, "tfds", counts, path.string(), remedy);
  if (found < records && records_.fault.empty()) records_.fault = counts;
}

std::string Shard::place(std::int64_t number) const {
  const auto i = static_cast<std::size_t>(number);
  return i < records_.offsets.size()
             ? fmt::format("{}, record {} at offset {}", file_.path().string(), number, records_.offsets[i])
             : fmt::format("{}, record {}", file_.path().string(), number);
}

std::span<const std::byte> Shard::record(std::int64_t number, bool verify) const {
  const auto i = static_cast<std::size_t>(number);
  if (i >= records_.offsets.size()) {
    fail(Error::Category::data, "tfds", "the record cannot be reached: " + records_.fault, place(number), remedy);
  }
  const auto from = file_.bytes().subspan(records_.offsets[i]);
  std::uint64_t length;
  std::uint32_t sum;
  std::memcpy(&length, from.data(), sizeof length);
  if (length > from.size() - 16) fail(Error::Category::data, "tfds", "the shard has changed while it was open", place(number));
  const auto data = from.subspan(12, length);
  std::memcpy(&sum, data.data() + length, sizeof sum);
  if (verify && sum != masked_crc32c(data)) {
    fail(Error::Category::data, "tfds", "the record's data do not fit their checksum", place(number), remedy);
  }
  return data;
}

}  // namespace qfw::tfds
