#include "io/hdf5.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <memory>
#include <mutex>

namespace qfw::hdf5 {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little);

std::recursive_mutex& mutex() {
  static std::recursive_mutex instance;
  return instance;
}

/// The library's innermost message of its last failure, without the numbers of its own that it adds: of a failed system call
/// only what the system said.
std::string reason() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_DOWNWARD,
      [](unsigned, const H5E_error2_t* error, void* to) -> herr_t {
        if (error->desc && *error->desc) *static_cast<std::string*>(to) = error->desc;
        return 0;
      },
      &text);
  H5Eclear2(H5E_DEFAULT);
  constexpr std::string_view said = "error message = '";
  if (const auto at = text.find(said); at != std::string::npos) {
    const auto begin = at + said.size();
    return text.substr(begin, text.find('\'', begin) - begin);
  }
  return text.substr(0, text.find(" = "));
}

Handle copy_of(hid_t type) { return {H5Tcopy(type), H5Tclose}; }

Handle attribute_space() { return {H5Screate(H5S_SCALAR), H5Sclose}; }

void write_number(hid_t object, const char* name, hid_t type, const void* value, const Place& place) {
  const Handle space = attribute_space();
  const Handle attribute = checked(H5Acreate2(object, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                                   fmt::format("create attribute {}", name), place);
  check(H5Awrite(attribute.get(), type, value), fmt::format("write attribute {}", name), place);
}

Handle open_attribute(hid_t object, const char* name, const Place& place) {
  return checked(H5Aopen(object, name, H5P_DEFAULT), H5Aclose, fmt::format("open attribute {}", name), place);
}

void read_number(hid_t object, const char* name, hid_t type, void* value, const Place& place) {
  const Handle attribute = open_attribute(object, name, place);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose), space(H5Aget_space(attribute.get()), H5Sclose);
  if (H5Tequal(stored.get(), type) <= 0 || H5Sget_simple_extent_npoints(space.get()) != 1) {
    failed(fmt::format("read attribute {}, which has an unexpected type", name), place);
  }
  check(H5Aread(attribute.get(), type, value), fmt::format("read attribute {}", name), place);
}

Handle access_list(const Place& place) {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  check(H5Pset_fclose_degree(access.get(), H5F_CLOSE_SEMI), "set up", place);
  check(H5Pset_file_locking(access.get(), true, true), "set up", place);  // none where the file system has no locks
  return access;
}

}  // namespace

Lock::Lock() {
  mutex().lock();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}
Lock::~Lock() { mutex().unlock(); }
void Lock::renew() { std::construct_at(&mutex()); }

void failed(std::string_view what, const Place& place, std::string_view remedy) {
  const std::string why = reason();
  const std::string where = place.object.empty() ? place.file.string() : place.file.string() + ": " + place.object;
  fail(Error::Category::data, "hdf5", why.empty() ? fmt::format("cannot {}", what) : fmt::format("cannot {}: {}", what, why),
       where, remedy);
}

Handle checked(hid_t id, Handle::Close close, std::string_view what, const Place& place) {
  if (id < 0) failed(what, place);
  return {id, close};
}

Handle create_file(Hdf5Storage& storage, const Place& place, std::uint64_t free_bytes) {
  const Handle create(H5Pcreate(H5P_FILE_CREATE), H5Pclose), access(storage.access_list(), H5Pclose);
  check(H5Pset_userblock(create.get(), free_bytes), "set up", place);
  check(H5Pset_obj_track_times(create.get(), false), "set up", place);
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110), "set up", place);
  return checked(H5Fcreate(place.file.c_str(), H5F_ACC_TRUNC, create.get(), access.get()), H5Fclose, "create the file", place);
}

void finish_file(Handle& file, const Hdf5Storage& storage, const Place& place) {
  const herr_t status = file.close();
  storage.check();
  check(status, "finish the file", place);
}

Handle open_file(Hdf5Storage& storage, const Place& place) {
  const Handle access(storage.access_list(), H5Pclose);
  return checked(H5Fopen(place.file.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose, "open it as HDF5", place);
}

Handle open_file(const fs::path& path) {
  const Place place{path, {}};
  std::error_code error;
  if (!fs::is_regular_file(path, error)) failed("open it: no such file", place);
  const htri_t is_hdf5 = H5Fis_hdf5(path.c_str());
  if (is_hdf5 <= 0) {
    failed(fmt::format("open it: its {} bytes are not an HDF5 file", fs::file_size(path, error)), place,
           "give a checkpoint, as qfw writes them");
  }
  const Handle access = access_list(place);
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get());
  if (file < 0) failed("open it, it is truncated or damaged", place, "use another checkpoint");
  return {file, H5Fclose};
}

namespace {

/// A sign, so many bits of exponent, the others of mantissa.
Handle float_of_16_bits(DType type, std::size_t exponent, std::size_t bias) {
  Handle made = copy_of(H5T_IEEE_F32LE);
  const std::size_t mantissa = 15 - exponent;
  if (H5Tset_fields(made.get(), 15, mantissa, exponent, 0, mantissa) < 0 || H5Tset_precision(made.get(), 16) < 0 ||
      H5Tset_size(made.get(), 2) < 0 || H5Tset_ebias(made.get(), bias) < 0) {
    failed(fmt::format("describe {}", name_of(type)), {});
  }
  return made;
}

}  // namespace

Handle data_type(DType type) {
  switch (type) {
    case DType::f32:
      return copy_of(H5T_IEEE_F32LE);
    case DType::s32:
      return copy_of(H5T_STD_I32LE);
    case DType::s8:
      return copy_of(H5T_STD_I8LE);
    case DType::u8:
      return copy_of(H5T_STD_U8LE);
    case DType::bf16:
      return float_of_16_bits(type, 8, 127);
    case DType::f16:
      return float_of_16_bits(type, 5, 15);
  }
  fail(Error::Category::internal, "hdf5", "unknown dtype");
}

Handle data_space(const Shape& shape) {
  if (shape.rank() == 0) return attribute_space();
  std::array<hsize_t, Shape::max_rank> extents{};
  std::copy(shape.begin(), shape.end(), extents.begin());
  return checked(H5Screate_simple(shape.rank(), extents.data(), nullptr), H5Sclose, "describe the shape " + shape.str(), {});
}

Handle create_group(hid_t parent, const std::string& name, const Place& place) {
  const Handle properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
  check(H5Pset_obj_track_times(properties.get(), false), "set up", place);
  return checked(H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, properties.get(), H5P_DEFAULT), H5Gclose, "create group " + name,
                 place);
}

Handle create_data_set(hid_t parent, const std::string& name, const TensorType& type, const Place& place) {
  // Not by H5Pset_create_intermediate_group: groups made so carry the time.
  for (std::size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1)) {
    const std::string group = name.substr(0, end);
    if (H5Lexists(parent, group.c_str(), H5P_DEFAULT) <= 0) create_group(parent, group, place);
  }
  const Handle create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  check(H5Pset_obj_track_times(create.get(), false), "set up", place);
  check(H5Pset_fill_time(create.get(), H5D_FILL_TIME_NEVER), "set up", place);
  const Handle stored = data_type(type.dtype), space = data_space(type.shape);
  return checked(H5Dcreate2(parent, name.c_str(), stored.get(), space.get(), H5P_DEFAULT, create.get(), H5P_DEFAULT), H5Dclose,
                 fmt::format("create data set {}", type.str()), place);
}

Handle open_data_set(hid_t parent, const std::string& name, const Place& place) {
  return checked(H5Dopen2(parent, name.c_str(), H5P_DEFAULT), H5Dclose, "open the data set", place);
}

TensorType type_of(hid_t data_set, const Place& place) {
  const Handle stored = checked(H5Dget_type(data_set), H5Tclose, "read the type", place);
  const Handle space = checked(H5Dget_space(data_set), H5Sclose, "read the shape", place);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  if (rank < 0 || rank > Shape::max_rank || H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr) < 0) {
    failed(fmt::format("read a tensor of {} axes, at most {} are possible", rank, Shape::max_rank), place);
  }
  std::array<std::int64_t, Shape::max_rank> shape{};
  std::copy_n(extents.begin(), rank, shape.begin());
  for (const DType type : {DType::f32, DType::bf16, DType::f16, DType::s32, DType::s8, DType::u8}) {
    if (H5Tequal(stored.get(), data_type(type).get()) > 0) {
      return {Shape(std::span<const std::int64_t>(shape.data(), static_cast<std::size_t>(rank))), type};
    }
  }
  failed("read the data set: its element type is none of f32, bf16, f16, s32, s8, u8", place);
}

void write(hid_t data_set, HostView value, const Place& place) {
  if (value.bytes.size() != value.type.bytes())
    failed(fmt::format("write {} bytes as {}", value.bytes.size(), value.type.str()), place);
  if (value.bytes.empty()) return;
  const Handle type = data_type(value.type.dtype);
  check(H5Dwrite(data_set, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, value.bytes.data()), "write the data set", place);
}

void read(hid_t data_set, HostTensor to, const Place& place) {
  if (to.bytes.size() != to.type.bytes()) failed(fmt::format("read {} into {} bytes", to.type.str(), to.bytes.size()), place);
  if (to.bytes.empty()) return;
  const Handle type = data_type(to.type.dtype);
  check(H5Dread(data_set, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, to.bytes.data()), "read the data set", place);
}

void write_attribute(hid_t object, const char* name, std::int64_t value, const Place& place) {
  write_number(object, name, H5T_STD_I64LE, &value, place);
}
void write_attribute(hid_t object, const char* name, std::uint64_t value, const Place& place) {
  write_number(object, name, H5T_STD_U64LE, &value, place);
}
void write_attribute(hid_t object, const char* name, double value, const Place& place) {
  write_number(object, name, H5T_IEEE_F64LE, &value, place);
}
void write_attribute(hid_t object, const char* name, const std::string& value, const Place& place) {
  const Handle type = copy_of(H5T_C_S1);
  check(H5Tset_size(type.get(), value.size() + 1), "set up", place);
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "set up", place);
  write_number(object, name, type.get(), value.c_str(), place);
}

void read_attribute(hid_t object, const char* name, std::int64_t& value, const Place& place) {
  read_number(object, name, H5T_STD_I64LE, &value, place);
}
void read_attribute(hid_t object, const char* name, std::uint64_t& value, const Place& place) {
  read_number(object, name, H5T_STD_U64LE, &value, place);
}
void read_attribute(hid_t object, const char* name, double& value, const Place& place) {
  read_number(object, name, H5T_IEEE_F64LE, &value, place);
}
void read_attribute(hid_t object, const char* name, std::string& value, const Place& place) {
  const Handle attribute = open_attribute(object, name, place);
  const Handle stored(H5Aget_type(attribute.get()), H5Tclose);
  if (H5Tget_class(stored.get()) != H5T_STRING || H5Tis_variable_str(stored.get()) > 0) {
    failed(fmt::format("read attribute {}, which is not a string of fixed length", name), place);
  }
  std::string text(H5Tget_size(stored.get()), '\0');
  check(H5Aread(attribute.get(), stored.get(), text.data()), fmt::format("read attribute {}", name), place);
  value = text.substr(0, text.find('\0'));
}

}  // namespace qfw::hdf5
