#include "array.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <atomic>

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

}  // namespace

void ByteArray::unfit(const std::string& what) const {
  fail(Error::Category::data, tag, what, place_,
       "store it as uint8, contiguous or with chunks of whole rows, with no filter but gzip and shuffle");
}

ByteArray::ByteArray(const RawFile& file, hid_t group, const std::string& name, std::string place)
    : file_(file), place_(std::move(place)), number_(next_number()) {
  const Handle data(H5Dopen2(group, name.c_str(), H5P_DEFAULT), H5Dclose);
  if (!data) unfit("the data set cannot be opened");
  const Handle type(H5Dget_type(data), H5Tclose), space(H5Dget_space(data), H5Sclose),
      properties(H5Dget_create_plist(data), H5Pclose);
  if (H5Tget_class(type) != H5T_INTEGER || H5Tget_size(type) != 1 || H5Tget_sign(type) != H5T_SGN_NONE) {
    unfit("its elements are not of type uint8");
  }
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 1 || rank > Shape::max_rank) unfit(fmt::format("it has rank {}", rank));
  std::array<hsize_t, Shape::max_rank> extents{};
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  size_ = 1;
  std::vector<std::int64_t> shape;
  for (int i = 0; i < rank; ++i) {
    const std::uint64_t extent = extents[static_cast<std::size_t>(i)];
    if (extent > std::uint64_t{1} << 48 || __builtin_mul_overflow(size_, extent, &size_)) unfit("it is impossibly large");
    shape.push_back(static_cast<std::int64_t>(extent));
  }
  shape_ = Shape(shape);
  if (size_ == 0) return;
  switch (H5Pget_layout(properties)) {
    case H5D_CONTIGUOUS: {
      if (H5Pget_external_count(properties) != 0) unfit("its bytes lie in another file");
      const haddr_t offset = H5Dget_offset(data);
      if (offset == HADDR_UNDEF || offset > file_.size() || size_ > file_.size() - offset)
        unfit("the file ends before its bytes");
      chunk_bytes_ = size_;
      chunks_.push_back({offset, size_, true});
      return;
    }
    case H5D_CHUNKED:
      find_filters(properties);
      find_chunks(data);
      return;
    default:
      unfit("its layout is neither contiguous nor chunked");
  }
}

void ByteArray::find_filters(hid_t properties) {
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    unsigned flags = 0, config = 0;
    std::size_t count = 0;
    std::array<char, 64> name{};
    switch (const H5Z_filter_t filter = H5Pget_filter2(properties, static_cast<unsigned>(i), &flags, &count, nullptr,
                                                       name.size(), name.data(), &config)) {
      case H5Z_FILTER_SHUFFLE:
        break;  // of elements of one byte it changes nothing
      case H5Z_FILTER_DEFLATE:
        gzip_ = true, gzip_place_ = i;
        break;
      default:
        unfit(fmt::format("it is stored through filter {} ({})", static_cast<int>(filter), name.data()));
    }
  }
  unsigned options = 0;
  if (gzip_ && H5Pget_chunk_opts(properties, &options) >= 0 && options != 0) unfit("its last chunk may be stored unfiltered");
  std::array<hsize_t, Shape::max_rank> extents{};
  if (H5Pget_chunk(properties, shape_.rank(), extents.data()) != shape_.rank()) unfit("its chunks cannot be told");
  chunk_bytes_ = 1;
  for (int i = 0; i < shape_.rank(); ++i) {
    const std::uint64_t extent = extents[static_cast<std::size_t>(i)];
    if (i > 0 && extent != static_cast<std::uint64_t>(shape_[i])) unfit("its chunks do not hold whole rows");
    if (extent == 0 || __builtin_mul_overflow(chunk_bytes_, extent, &chunk_bytes_)) unfit("its chunks are impossibly large");
  }
}

void ByteArray::find_chunks(hid_t data) {
  const std::uint64_t row = size_ / static_cast<std::uint64_t>(shape_[0]), rows_of_chunk = chunk_bytes_ / row;
  const std::uint64_t count = (size_ + chunk_bytes_ - 1) / chunk_bytes_;
  if (count > file_.size()) unfit("the file ends before its bytes");
  for (std::uint64_t i = 0; i < count; ++i) {
    std::array<hsize_t, Shape::max_rank> place{i * rows_of_chunk};
    unsigned skipped = 0;
    haddr_t offset = HADDR_UNDEF;
    hsize_t bytes = 0;
    const herr_t status = H5Dget_chunk_info_by_coord(data, place.data(), &skipped, &offset, &bytes);
    if (status < 0 || offset == HADDR_UNDEF) unfit(fmt::format("chunk {} of {} was never written", i, count));
    if (offset > file_.size() || bytes > file_.size() - offset) unfit(fmt::format("the file ends before chunk {}", i));
    const bool plain = !gzip_ || (skipped >> gzip_place_ & 1u) != 0;  // a bit of the mask: that filter was left out
    if (plain && bytes != chunk_bytes_) unfit(fmt::format("chunk {} has {} bytes, expected {}", i, bytes, chunk_bytes_));
    chunks_.push_back({offset, bytes, plain});
  }
}

const std::vector<std::byte>& ByteArray::inflated(std::size_t number) const {
  thread_local Kept kept;
  if (kept.array == number_ && kept.chunk == number) return kept.bytes;
  kept.array = 0;
  const Chunk& chunk = chunks_[number];
  kept.stored.resize(chunk.bytes);
  kept.bytes.resize(chunk_bytes_);
  file_.read(chunk.offset, kept.stored);
  uLongf length = chunk_bytes_;
  if (uncompress(reinterpret_cast<Bytef*>(kept.bytes.data()), &length, reinterpret_cast<const Bytef*>(kept.stored.data()),
                 chunk.bytes) != Z_OK ||
      length != chunk_bytes_) {
    fail(Error::Category::data, tag, fmt::format("chunk {} cannot be decompressed", number),
         fmt::format("{}, offset {}", place_, chunk.offset), "the file is damaged: make it again");
  }
  kept.array = number_, kept.chunk = number;
  return kept.bytes;
}

std::uint64_t ByteArray::offset_of(std::uint64_t first) const {
  if (chunks_.empty()) return 0;
  const Chunk& chunk = chunks_[std::min(first / chunk_bytes_, static_cast<std::uint64_t>(chunks_.size() - 1))];
  return chunk.offset + (chunk.plain ? first % chunk_bytes_ : 0);
}

void ByteArray::read(std::uint64_t first, std::span<std::byte> to) const {
  while (!to.empty()) {
    const auto number = static_cast<std::size_t>(first / chunk_bytes_);
    const std::uint64_t within = first % chunk_bytes_, count = std::min<std::uint64_t>(to.size(), chunk_bytes_ - within);
    if (const Chunk& chunk = chunks_[number]; chunk.plain) {
      file_.read(chunk.offset + within, to.first(count));
    } else {
      std::copy_n(inflated(number).begin() + static_cast<std::ptrdiff_t>(within), count, to.begin());
    }
    first += count;
    to = to.subspan(count);
  }
}

}  // namespace qfw::hdf5_dataset
