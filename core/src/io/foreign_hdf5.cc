#include "qfw/foreign_hdf5.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "io/hdf5.h"
#include "qfw/error.h"

namespace qfw::foreign_hdf5 {

namespace {

std::string& refused() {
  static std::string link;
  return link;
}

/// In place of the library's own way through external links.
hid_t refuse(const char*, hid_t, const void* value, std::size_t size, hid_t, hid_t) {
  unsigned flags = 0;
  const char *file = nullptr, *object = nullptr;
  refused() = H5Lunpack_elink_val(value, size, &flags, &file, &object) >= 0 ? fmt::format("{}:{}", file, object) : "?";
  return H5I_INVALID_HID;
}

void shut() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
  static const H5L_class_t external{.version = H5L_LINK_CLASS_T_VERS,
                                    .id = H5L_TYPE_EXTERNAL,
                                    .comment = "refused",
                                    .create_func = nullptr,
                                    .move_func = nullptr,
                                    .copy_func = nullptr,
                                    .trav_func = refuse,
                                    .del_func = nullptr,
                                    .query_func = nullptr};
  if (H5Lregister(&external) < 0) fail(Error::Category::internal, "hdf5", "links to other files cannot be refused");
}

const char* name_of(H5T_class_t kind) {
  switch (kind) {
    case H5T_TIME:
      return "time";
    case H5T_BITFIELD:
      return "bit field";
    case H5T_OPAQUE:
      return "opaque";
    case H5T_COMPOUND:
      return "compound";
    case H5T_REFERENCE:
      return "reference";
    case H5T_ENUM:
      return "enumeration";
    case H5T_VLEN:
      return "variable-length list";
    case H5T_ARRAY:
      return "array";
    default:
      return "unknown type";
  }
}

/// What was never written reads as zeros.
bool has_all_chunks(hid_t data_set, hid_t space, hid_t properties) {
  std::array<hsize_t, H5S_MAX_RANK> extents{}, chunk{};
  const int rank = H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  if (rank < 0 || H5Pget_chunk(properties, rank, chunk.data()) != rank) return false;
  hsize_t expected = 1, there = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(rank); ++i) {
    if (chunk[i] == 0 || __builtin_mul_overflow(expected, (extents[i] - 1) / chunk[i] + 1, &expected)) return false;
  }
  return H5Dget_num_chunks(data_set, space, &there) >= 0 && there == expected;
}

}  // namespace

hid_t open(const RegularFile& file, const std::string& tag) {
  shut();
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_sec2(access);
  H5Pset_file_locking(access, true, true);  // none where the file system has no locks
  const std::string name = file.name_of_open();
  const hid_t opened = H5Fopen(name.c_str(), H5F_ACC_RDONLY, access);
  H5Pclose(access);
  if (opened >= 0) return opened;
  fail(Error::Category::data, tag,
       H5Fis_hdf5(name.c_str()) > 0 ? "the file is damaged, or still being written"
                                    : fmt::format("this is no HDF5 file: its {} bytes are something else", file.size()),
       file.path().string(), "make it again, or name another");
}

std::string take_refused_link() { return std::exchange(refused(), {}); }

std::string objection_to(hid_t data_set) {
  const hdf5::Handle properties(H5Dget_create_plist(data_set), H5Pclose);
  const H5D_layout_t layout = H5Pget_layout(properties.get());
  if (layout == H5D_VIRTUAL) return "it is a virtual data set, whose values lie in others";
  if (layout == H5D_CONTIGUOUS && H5Pget_external_count(properties.get()) != 0) return "its values lie in another file";
  const hdf5::Handle space(H5Dget_space(data_set), H5Sclose);
  if (H5Sget_simple_extent_npoints(space.get()) <= 0) return {};
  H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
  if (H5Dget_space_status(data_set, &status) < 0) return "it is damaged";
  const bool whole = status != H5D_SPACE_STATUS_NOT_ALLOCATED &&
                     (layout != H5D_CHUNKED || has_all_chunks(data_set, space.get(), properties.get()));
  return whole ? std::string() : "it was never written, or in parts only";
}

std::string describe_type(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_STRING) return H5Tis_variable_str(type) > 0 ? "string of variable length" : "string";
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) return name_of(kind);
  const char* order = H5Tget_order(type) == H5T_ORDER_BE ? "big-endian " : "";
  const char* sign = kind == H5T_INTEGER && H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned " : "";
  return fmt::format("{}{}{}-bit {}", order, sign, 8 * H5Tget_size(type), kind == H5T_FLOAT ? "float" : "integer");
}

}  // namespace qfw::foreign_hdf5
