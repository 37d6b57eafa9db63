// A TFRecord shard: framing, checksums and what is in the records. The first byte says whether the checksums of lengths and
// data are made right first, as else hardly any input would come further than the first one.
#include <cstring>

#include "crc32c.h"
#include "example.h"
#include "index.h"
#include "input.h"
#include "shard.h"

namespace {

void correct_checksums(std::string& shard) {
  for (std::size_t at = 0; shard.size() - at >= 16;) {
    std::uint64_t length;
    std::memcpy(&length, &shard[at], 8);
    const std::uint32_t sum = qfw::tfds::masked_crc32c(std::as_bytes(std::span(&length, 1)));
    std::memcpy(&shard[at + 8], &sum, 4);
    if (length > shard.size() - at - 16) return;
    const std::uint32_t of_data = qfw::tfds::masked_crc32c(std::as_bytes(std::span(shard).subspan(at + 12, length)));
    std::memcpy(&shard[at + 12 + length], &of_data, 4);
    at += 16 + length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  if (size == 0) return 0;
  std::string bytes(fuzz::text(data + 1, size - 1));
  if ((data[0] & 1) != 0) correct_checksums(bytes);
  const fuzz::MemoryFile file(bytes);
  fuzz::expect_no_worse_than_an_error([&] {
    const auto records = static_cast<std::int64_t>(tfds::scan_records(RegularFile(file.path())).offsets.size());
    const tfds::Shard shard(file.path(), records + 1, {});
    for (std::int64_t i = 0; i <= records; ++i) {  // the last one is not there
      fuzz::expect_no_worse_than_an_error([&] {
        const auto record = shard.record(i, (data[0] & 2) != 0);
        try {
          tfds::find_feature(record.data, "image");
        } catch (const std::string& what) {
          if (what.empty()) std::abort();
        }
      });
    }
  });
  return 0;
}
