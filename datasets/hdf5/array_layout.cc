#include <fmt/format.h>

#include <array>

#include "qfw/error.h"
#include "qfw/foreign_hdf5.h"
#include "values.h"

namespace qfw::hdf5_dataset {

namespace {

class Finder {
 public:
  Finder(const RegularFile& file, const std::string& place) : file_(file) { layout_.place = place; }

  ArrayLayout find(hid_t group, const char* name) {
    const Handle data = open_data(group, name, layout_.place);
    const Handle type(H5Dget_type(data), H5Tclose), properties(H5Dget_create_plist(data), H5Pclose);
    if (H5Tget_class(type) != H5T_INTEGER || H5Tget_size(type) != 1 || H5Tget_sign(type) != H5T_SGN_NONE ||
        H5Tget_precision(type) != 8) {
      unfit(fmt::format("its elements are of type {}, not of type uint8 (levels 0 to 255)", foreign_hdf5::describe_type(type)));
    }
    find_shape(data);
    if (size_ == 0) return layout_;
    switch (H5Pget_layout(properties)) {
      case H5D_CONTIGUOUS:
        find_block(data);
        break;
      case H5D_CHUNKED:
        find_filters(properties);
        find_chunks(data);
        break;
      default:
        unfit("its layout is neither contiguous nor chunked");
    }
    return layout_;
  }

 private:
  void find_shape(hid_t data) {
    const auto extents = extents_of(data, layout_.place);
    if (extents.empty() || extents.size() > Shape::max_rank) unfit(fmt::format("it has rank {}", extents.size()));
    std::vector<std::int64_t> shape;
    for (const std::uint64_t extent : extents) {
      if (extent > std::uint64_t{1} << 48 || __builtin_mul_overflow(size_, extent, &size_)) unfit("it is impossibly large");
      shape.push_back(static_cast<std::int64_t>(extent));
    }
    layout_.shape = Shape(shape);
  }
  void find_block(hid_t data) {
    const haddr_t offset = H5Dget_offset(data);
    if (offset == HADDR_UNDEF) unfit("it is not known where it lies");
    layout_.chunk_bytes = size_;
    layout_.chunks.push_back({offset, size_, true});
  }
  void find_filters(hid_t properties) {
    for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
      switch (const auto [number, name] = filter_at(properties, i); number) {
        case H5Z_FILTER_SHUFFLE:
          break;  // of elements of one byte it changes nothing
        case H5Z_FILTER_DEFLATE:
          if (gzip_) unfit("it is compressed twice");
          gzip_ = true;
          gzip_place_ = i;
          break;
        default:
          unfit(fmt::format("it is stored through filter {} ({})", number, name));
      }
    }
    unsigned options = 0;
    if (gzip_ && H5Pget_chunk_opts(properties, &options) >= 0 && options != 0) unfit("its last chunk may be stored unfiltered");
    find_chunk_size(properties);
  }
  void find_chunk_size(hid_t properties) {
    const Shape& shape = layout_.shape;
    std::array<hsize_t, Shape::max_rank> extents{};
    if (H5Pget_chunk(properties, shape.rank(), extents.data()) != shape.rank()) unfit("its chunks cannot be told");
    layout_.chunk_bytes = 1;
    for (int i = 0; i < shape.rank(); ++i) {
      const std::uint64_t extent = extents[static_cast<std::size_t>(i)];
      if (i > 0 && extent != static_cast<std::uint64_t>(shape[i])) unfit("its chunks do not hold whole rows");
      if (extent == 0 || __builtin_mul_overflow(layout_.chunk_bytes, extent, &layout_.chunk_bytes))
        unfit("its chunks are impossibly large");
    }
  }
  void find_chunks(hid_t data) {
    const std::uint64_t row = size_ / static_cast<std::uint64_t>(layout_.shape[0]), rows_of_chunk = layout_.chunk_bytes / row;
    const std::uint64_t count = size_ / layout_.chunk_bytes + (size_ % layout_.chunk_bytes != 0);
    if (count > file_.size()) unfit("the file ends before its bytes");
    for (std::uint64_t i = 0; i < count; ++i) {
      std::array<hsize_t, Shape::max_rank> place{i * rows_of_chunk};
      unsigned skipped = 0;
      haddr_t offset = HADDR_UNDEF;
      hsize_t bytes = 0;
      if (H5Dget_chunk_info_by_coord(data, place.data(), &skipped, &offset, &bytes) < 0 || offset == HADDR_UNDEF) {
        unfit(fmt::format("chunk {} of {} was never written", i, count));
      }
      // A bit of the mask: that filter was left out.
      layout_.chunks.push_back({offset, bytes, !gzip_ || (skipped >> gzip_place_ & 1u) != 0});
    }
  }
  [[noreturn]] void unfit(const std::string& what) const {
    fail(Error::Category::data, tag, what, layout_.place,
         "store it as uint8, contiguous or with chunks of whole rows, with no filter but gzip and shuffle");
  }

  const RegularFile& file_;
  ArrayLayout layout_;
  std::uint64_t size_ = 1;
  bool gzip_ = false;
  int gzip_place_ = 0;  ///< among the filters
};

}  // namespace

ArrayLayout array_layout(const RegularFile& file, hid_t group, const char* name, const std::string& place) {
  return Finder(file, place).find(group, name);
}

}  // namespace qfw::hdf5_dataset
