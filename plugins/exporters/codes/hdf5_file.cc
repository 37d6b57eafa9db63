#include "hdf5_file.h"

#include <fmt/format.h>
#include <hdf5.h>

#include "qfw/atomic_file.h"
#include "qfw/confined.h"
#include "qfw/error.h"
#include "qfw/foreign_hdf5.h"
#include "qfw/hdf5_storage.h"

namespace qfw::codes {

namespace {

namespace fs = std::filesystem;
using foreign_hdf5::Handle;

class Writer {
 public:
  explicit Writer(const fs::path& file) : path_(file) {}

  /// Equal contents give equal bytes: no times, one version of the format.
  void write(const Contents& contents, AtomicFile& target) const {
    Hdf5InFile storage(target);
    const Handle create(H5Pcreate(H5P_FILE_CREATE), H5Pclose), access(storage.access_list(), H5Pclose);
    made(H5Pset_obj_track_times(create, false) >= 0 && H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0,
         "it");
    Handle file(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, create, access), H5Fclose);
    made(file >= 0, "it");
    write_text(file, description_name, contents.description);
    for (const Array& array : contents.arrays) write_array(file, array);
    const bool closed = file.close() >= 0;
    storage.check();
    made(closed, "it");
  }

 private:
  void made(bool good, const std::string& what) const {
    if (!good) fail(Error::Category::data, "codes", fmt::format("the HDF5 library cannot write {}", what), path_.string());
  }

  Handle create(hid_t file, const std::string& name, hid_t type, hid_t space) const {
    for (std::size_t end = name.find('/'); end != std::string::npos; end = name.find('/', end + 1)) {
      const std::string folder = name.substr(0, end);
      if (H5Lexists(file, folder.c_str(), H5P_DEFAULT) > 0) continue;
      const Handle properties(H5Pcreate(H5P_GROUP_CREATE), H5Pclose);
      H5Pset_obj_track_times(properties, false);
      const Handle group(H5Gcreate2(file, folder.c_str(), H5P_DEFAULT, properties, H5P_DEFAULT), H5Gclose);
      made(group >= 0, folder);
    }
    const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_obj_track_times(properties, false);
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    Handle data(H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
    made(data >= 0, name);
    return data;
  }

  void write_text(hid_t file, const std::string& name, const std::string& text) const {
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
    H5Tset_size(type, text.size());
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    const Handle data = create(file, name, type, space);
    made(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()) >= 0, name);
  }

  void write_array(hid_t file, const Array& array) const {
    const Handle type = type_of(array.type.dtype);
    std::vector<hsize_t> extents(array.type.shape.begin(), array.type.shape.end());
    const Handle space(
        extents.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
        H5Sclose);
    const Handle data = create(file, array.name, type, space);
    if (array.bytes.empty()) return;
    made(H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.bytes.data()) >= 0, array.name);
  }

  Handle type_of(DType dtype) const {
    const auto copy = [](hid_t type) { return Handle(H5Tcopy(type), H5Tclose); };
    switch (dtype) {
      case DType::f32:
        return copy(H5T_IEEE_F32LE);
      case DType::bf16:
        return copy(H5T_STD_U16LE);
      case DType::s32:
        return copy(H5T_STD_I32LE);
      case DType::s8:
        return copy(H5T_STD_I8LE);
      case DType::u8:
        return copy(H5T_STD_U8LE);
      case DType::f16:
        break;
    }
    Handle half = copy(H5T_IEEE_F32LE);
    made(H5Tset_fields(half, 15, 10, 5, 0, 10) >= 0 && H5Tset_precision(half, 16) >= 0 && H5Tset_size(half, 2) >= 0 &&
             H5Tset_ebias(half, 15) >= 0,
         "16-bit floats");
    return half;
  }

  fs::path path_;
};

/// The text that Writer::write_text() wrote, if there is one; `most` bytes at most.
std::string text_in(const RegularFile& file, const char* name, std::uint64_t most) {
  const Handle stored(foreign_hdf5::open(file, "codes"), H5Fclose);
  const Handle data(H5Dopen2(stored, name, H5P_DEFAULT), H5Dclose);
  if (!data || !foreign_hdf5::objection_to(data).empty()) return {};
  const Handle type(H5Dget_type(data), H5Tclose), space(H5Dget_space(data), H5Sclose);
  const std::uint64_t size = H5Tget_size(type);
  const bool text =
      H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && H5Sget_simple_extent_npoints(space) == 1;
  if (!text || size > most) return {};
  std::string read(size, '\0');
  return H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, read.data()) >= 0 ? read : std::string();
}

}  // namespace

std::string description_in_hdf5(const RegularFile& file) try {
  return run_confined(confinement_for(file, "codes"),
                      [&](Answer& answer) {
                        H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
                        answer.put_text(text_in(file, description_name, file.size()));
                      })
      .take_text();
} catch (const Error& error) {
  if (error.category() != Error::Category::data) throw;
  return {};  // not HDF5, or damaged
}

void write_hdf5(const Contents& contents, const fs::path& file) {
  AtomicFile target(file);
  run_confined({.tag = "codes", .task = "writing the file", .place = file.string(), .remedy = "export again"}, [&](Answer&) {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    Writer(file).write(contents, target);
  });
  target.commit();
}

}  // namespace qfw::codes
