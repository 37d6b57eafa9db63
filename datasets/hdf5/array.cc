#include "array.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>

#include "qfw/error.h"

namespace qfw::hdf5_dataset {

namespace {

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> number{0};
  return ++number;
}

/// The last compressed chunk that a thread has read.
struct Kept {
  std::uint64_t array = 0;
  std::size_t chunk = 0;
  std::vector<std::byte> stored, bytes;
};

/// Of a chunk, per thread; deflate shrinks no further than to one part in 1032.
constexpr std::uint64_t most_inflated = 256 << 20, most_shrunk = 1032;

}  // namespace

ByteArray::ByteArray(const RegularFile& file, ArrayLayout layout)
    : file_(file), layout_(std::move(layout)), number_(next_number()) {
  const auto refuse = [&](const std::string& what) {
    fail(Error::Category::data, tag, what, layout_.place, "the file is damaged, or its chunks are too large: make it again");
  };
  std::uint64_t count = 1;
  for (const std::int64_t extent : layout_.shape) {
    if (extent < 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(extent), &count))
      refuse("its shape is impossible");
  }
  size_ = count;
  if (size_ == 0) return;
  const std::uint64_t whole = layout_.chunk_bytes;
  if (whole == 0 || layout_.chunks.size() != size_ / whole + (size_ % whole != 0))
    refuse(fmt::format("it has {} chunks of {} bytes for {}", layout_.chunks.size(), whole, size_));
  for (std::size_t i = 0; i < layout_.chunks.size(); ++i) {
    const auto& [offset, bytes, plain] = layout_.chunks[i];
    if (offset > file_.size() || bytes > file_.size() - offset) refuse(fmt::format("the file ends before chunk {}", i));
    if (plain && bytes != whole) refuse(fmt::format("chunk {} has {} bytes, expected {}", i, bytes, whole));
    if (!plain && (whole > most_inflated || whole / most_shrunk > bytes))
      refuse(fmt::format("chunk {} would be {} bytes inflated to {}", i, bytes, whole));
  }
}

const std::vector<std::byte>& ByteArray::inflated(std::size_t number) const {
  thread_local Kept kept;
  if (kept.array == number_ && kept.chunk == number) return kept.bytes;
  kept.array = 0;
  const auto& chunk = layout_.chunks[number];
  kept.stored.resize(chunk.bytes);
  kept.bytes.resize(layout_.chunk_bytes);
  file_.read(chunk.offset, kept.stored);
  uLongf length = layout_.chunk_bytes;
  if (uncompress(reinterpret_cast<Bytef*>(kept.bytes.data()), &length, reinterpret_cast<const Bytef*>(kept.stored.data()),
                 chunk.bytes) != Z_OK ||
      length != layout_.chunk_bytes) {
    fail(Error::Category::data, tag, fmt::format("chunk {} cannot be decompressed", number),
         fmt::format("{}, offset {}", layout_.place, chunk.offset), "the file is damaged: make it again");
  }
  kept.array = number_;
  kept.chunk = number;
  return kept.bytes;
}

std::uint64_t ByteArray::offset_of(std::uint64_t first) const {
  if (layout_.chunks.empty()) return 0;
  const auto& chunk =
      layout_.chunks[std::min(first / layout_.chunk_bytes, static_cast<std::uint64_t>(layout_.chunks.size() - 1))];
  return chunk.offset + (chunk.plain ? first % layout_.chunk_bytes : 0);
}

void ByteArray::read(std::uint64_t first, std::span<std::byte> to) const {
  while (!to.empty()) {
    const auto number = static_cast<std::size_t>(first / layout_.chunk_bytes);
    const std::uint64_t within = first % layout_.chunk_bytes,
                        count = std::min<std::uint64_t>(to.size(), layout_.chunk_bytes - within);
    if (const auto& chunk = layout_.chunks[number]; chunk.plain) {
      file_.read(chunk.offset + within, to.first(count));
    } else {
      std::copy_n(inflated(number).begin() + static_cast<std::ptrdiff_t>(within), count, to.begin());
    }
    first += count;
    to = to.subspan(count);
  }
}

}  // namespace qfw::hdf5_dataset
