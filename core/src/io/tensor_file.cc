#include "io/tensor_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/hdf5.h"
#include "qfw/atomic_file.h"
#include "qfw/confined.h"
#include "qfw/foreign_hdf5.h"
#include "qfw/regular_file.h"

namespace qfw {

namespace {

constexpr const char* format_attribute = "format";

/// In a child process.
bool says_format(const RegularFile& file, std::string_view format) {
  const foreign_hdf5::Handle stored(foreign_hdf5::open(file, "file"), H5Fclose);
  if (H5Aexists(stored, format_attribute) <= 0) return false;
  const foreign_hdf5::Handle attribute(H5Aopen(stored, format_attribute, H5P_DEFAULT), H5Aclose);
  const foreign_hdf5::Handle type(H5Aget_type(attribute), H5Tclose), space(H5Aget_space(attribute), H5Sclose);
  const bool text = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
                    H5Sget_simple_extent_npoints(space) == 1 && H5Tget_size(type) < 100;
  if (!text) return false;
  std::string read(H5Tget_size(type), '\0');
  if (H5Aread(attribute, type, read.data()) < 0) return false;
  return read.c_str() == format;
}

}  // namespace

bool has_format(const std::filesystem::path& path, std::string_view format) {
  const RegularFile file(path);
  try {
    return run_confined(confinement_for(file, "file"), [&](Answer& answer) { answer.put(says_format(file, format)); })
        .take<bool>();
  } catch (const Error& error) {
    if (error.category() != Error::Category::data) throw;
    return false;  // not HDF5, or damaged
  }
}

void write_tensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors) {
  AtomicFile target(path);
  {
    const hdf5::Lock lock;
    const hdf5::Place place{path, {}};
    Hdf5Memory image;
    hdf5::Handle file = hdf5::create_file(image, place);
    hdf5::write_attribute(file.get(), format_attribute, std::string(weights_format), place);
    for (const auto& tensor : tensors) {
      const hdf5::Place here{path, tensor.name};
      const auto data_set = hdf5::create_data_set(file.get(), tensor.name, tensor.value.type, here);
      hdf5::write(data_set.get(), tensor.value, here);
    }
    hdf5::finish_file(file, image, place);
    target.write(image.bytes());
  }
  target.commit();
}

struct LogitsFile::Impl {
  Impl(const std::filesystem::path& path, std::int64_t classes) : path(path), classes(classes), target(path) {}
  ~Impl() {
    const hdf5::Lock lock;
    logits = {};
    labels = {};
    file = {};
  }

  /// A data set whose first axis grows.
  hdf5::Handle growing(const char* name, const Shape& row, DType type) {
    const hdf5::Place here{path, name};
    const bool matrix = row.rank() == 1;
    const hsize_t extents[2] = {0, matrix ? static_cast<hsize_t>(row[0]) : 1};
    const hsize_t limits[2] = {H5S_UNLIMITED, extents[1]}, chunk[2] = {1024, extents[1]};
    const int rank = matrix ? 2 : 1;
    const hdf5::Handle space = hdf5::checked(H5Screate_simple(rank, extents, limits), H5Sclose, "describe the shape", here);
    const hdf5::Handle create(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    hdf5::check(H5Pset_chunk(create.get(), rank, chunk), "set up", here);
    hdf5::check(H5Pset_obj_track_times(create.get(), false), "set up", here);
    const hdf5::Handle stored = hdf5::data_type(type);
    return hdf5::checked(H5Dcreate2(file.get(), name, stored.get(), space.get(), H5P_DEFAULT, create.get(), H5P_DEFAULT),
                         H5Dclose, "create the data set", here);
  }

  void append(const hdf5::Handle& data_set, const char* name, DType type, const void* values, hsize_t rows, hsize_t columns,
              int rank) {
    const hdf5::Place here{path, name};
    const hsize_t extents[2] = {count + rows, columns}, start[2] = {count, 0}, block[2] = {rows, columns};
    hdf5::check(H5Dset_extent(data_set.get(), extents), "grow the data set", here);
    const hdf5::Handle space = hdf5::checked(H5Dget_space(data_set.get()), H5Sclose, "read the shape", here);
    hdf5::check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start, nullptr, block, nullptr), "select rows", here);
    const hdf5::Handle memory = hdf5::checked(H5Screate_simple(rank, block, nullptr), H5Sclose, "describe the rows", here);
    const hdf5::Handle stored = hdf5::data_type(type);
    hdf5::check(H5Dwrite(data_set.get(), stored.get(), memory.get(), space.get(), H5P_DEFAULT, values), "write rows", here);
  }

  std::filesystem::path path;
  std::int64_t classes;
  AtomicFile target;
  Hdf5Memory image;
  hdf5::Handle file, logits, labels;
  hsize_t count = 0;
};

LogitsFile::LogitsFile(const std::filesystem::path& path, std::int64_t classes) : impl_(std::make_unique<Impl>(path, classes)) {
  if (classes < 1) fail(Error::Category::usage, "logits", fmt::format("{} classes", classes), path.string());
  const hdf5::Lock lock;
  impl_->file = hdf5::create_file(impl_->image, {path, {}});
  hdf5::write_attribute(impl_->file.get(), format_attribute, std::string(logits_format), {path, {}});
  impl_->logits = impl_->growing("logits", Shape{classes}, DType::f32);
  impl_->labels = impl_->growing("labels", Shape{}, DType::s32);
}
LogitsFile::~LogitsFile() = default;

void LogitsFile::append(std::span<const float> logits, std::span<const std::int32_t> labels) {
  const auto columns = static_cast<std::size_t>(impl_->classes);
  if (logits.size() != labels.size() * columns) {
    fail(Error::Category::internal, "logits",
         fmt::format("{} logits for {} labels of {} classes", logits.size(), labels.size(), columns), impl_->path.string());
  }
  if (labels.empty()) return;
  const hdf5::Lock lock;
  impl_->append(impl_->logits, "logits", DType::f32, logits.data(), labels.size(), columns, 2);
  impl_->append(impl_->labels, "labels", DType::s32, labels.data(), labels.size(), 1, 1);
  impl_->count += labels.size();
}

void LogitsFile::commit() {
  {
    const hdf5::Lock lock;
    const hdf5::Place place{impl_->path, {}};
    hdf5::check(impl_->logits.close(), "finish the logits", place);
    hdf5::check(impl_->labels.close(), "finish the labels", place);
    hdf5::finish_file(impl_->file, impl_->image, place);
    impl_->target.write(impl_->image.bytes());
  }
  impl_->target.commit();
}

}  // namespace qfw
