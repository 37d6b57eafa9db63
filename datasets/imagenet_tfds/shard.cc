#include "shard.h"

#include <fmt/format.h>

#include <cstring>

#include "crc32c.h"
#include "index.h"
#include "qfw/error.h"

namespace qfw::tfds {

Shard::Shard(const std::filesystem::path& path, std::int64_t records, const std::filesystem::path& index_folder)
    : file_(path), offsets_(index_of(file_, index_folder)) {
  const auto found = static_cast<std::int64_t>(offsets_.size());
  if (found != records) {
    fail(Error::Category::data, "tfds", fmt::format("the shard holds {} records, dataset_info.json says {}", found, records),
         path.string(), "fetch or make this shard again");
  }
}

std::string Shard::place(std::int64_t number) const {
  return fmt::format("{}, record {} at offset {}", file_.path().string(), number,
                     offsets_.at(static_cast<std::size_t>(number)));
}

std::span<const std::byte> Shard::record(std::int64_t number, bool verify) const {
  const auto from = file_.bytes().subspan(offsets_[static_cast<std::size_t>(number)]);
  std::uint64_t length;
  std::uint32_t sum;
  std::memcpy(&length, from.data(), sizeof length);
  if (length > from.size() - 16) fail(Error::Category::data, "tfds", "the shard has changed while it was open", place(number));
  const auto data = from.subspan(12, length);
  std::memcpy(&sum, data.data() + length, sizeof sum);
  if (verify && sum != masked_crc32c(data)) {
    fail(Error::Category::data, "tfds", "the record's data do not fit their checksum", place(number),
         "fetch or make this shard again");
  }
  return data;
}

}  // namespace qfw::tfds
