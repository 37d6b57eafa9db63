#include "dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "qfw/image.h"

namespace qfw::hdf5_dataset {

namespace {

constexpr const char* form =
    "expected in each split's group are images [N, H, W, C] of uint8, or bytes and offsets [N + 1]; and labels [N]";

[[noreturn]] void unfit(const std::string& what, const std::string& place) {
  fail(Error::Category::data, tag, what, place, form);
}

bool has(hid_t group, const char* name) { return H5Lexists(group, name, H5P_DEFAULT) > 0; }

/// The number of elements of a data set of rank 1.
std::size_t length_of(hid_t data, const std::string& place) {
  const Handle space(H5Dget_space(data), H5Sclose);
  hsize_t extent = 0;
  if (H5Sget_simple_extent_ndims(space) != 1 || H5Sget_simple_extent_dims(space, &extent, nullptr) != 1) {
    unfit("it is not of rank 1", place);
  }
  // A foreign header must not ask for all memory.
  if (extent > std::uint64_t{1} << 28) unfit(fmt::format("it has {} elements", extent), place);
  return extent;
}

std::vector<std::int64_t> integers(hid_t group, const char* name, const std::string& split) {
  const std::string place = split + "/" + name;
  const Handle data(H5Dopen2(group, name, H5P_DEFAULT), H5Dclose);
  if (!data) unfit("there is no such data set", place);
  const Handle type(H5Dget_type(data), H5Tclose);
  if (H5Tget_class(type) != H5T_INTEGER) unfit("its elements are not integers", place);
  std::vector<std::int64_t> values(length_of(data, place));
  if (H5Dread(data, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) unfit("it cannot be read", place);
  return values;
}

std::vector<std::string> strings(hid_t group, const char* name, const std::string& split) {
  const std::string place = split + "/" + name;
  const Handle data(H5Dopen2(group, name, H5P_DEFAULT), H5Dclose);
  if (!data) unfit("it cannot be opened", place);
  const Handle type(H5Dget_type(data), H5Tclose), space(H5Dget_space(data), H5Sclose);
  if (H5Tget_class(type) != H5T_STRING) unfit("its elements are not strings", place);
  const std::size_t count = length_of(data, place);
  std::vector<std::string> values;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char*> texts(count);
    if (H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data()) < 0) unfit("it cannot be read", place);
    for (const char* text : texts) values.emplace_back(text == nullptr ? "" : text);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data());
  } else {
    const std::size_t size = H5Tget_size(type);
    std::vector<char> texts(count * size);
    if (H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data()) < 0) unfit("it cannot be read", place);
    for (std::size_t i = 0; i < count; ++i) values.emplace_back(&texts[i * size], strnlen(&texts[i * size], size));
  }
  return values;
}

std::vector<std::string> groups_of(hid_t file) {
  std::vector<std::string> names;
  H5Literate(
      file, H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t parent, const char* name, const H5L_info_t*, void* list) -> herr_t {
        const Handle object(H5Oopen(parent, name, H5P_DEFAULT), H5Oclose);
        if (object && H5Iget_type(object) == H5I_GROUP) static_cast<std::vector<std::string>*>(list)->emplace_back(name);
        return 0;
      },
      &names);
  return names;
}

}  // namespace

Hdf5Dataset::Hdf5Dataset(const Options& options) {
  if (options.data_dir.empty()) fail(Error::Category::usage, tag, "dataset.data_dir is not set", {}, "name an HDF5 file");
  file_ = std::make_unique<RawFile>(file_of(with_home(options.data_dir)));
  const std::string place = file_->path().string();
  const Quiet quiet;
  const Handle file(H5Fopen(place.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  if (!file) {
    fail(Error::Category::data, tag,
         H5Fis_hdf5(place.c_str()) > 0 ? "the file is damaged or still being written" : "this is no HDF5 file", place,
         "make it again");
  }
  const Handle properties(H5Fget_create_plist(file), H5Pclose);
  hsize_t user_block = 0;
  if (H5Pget_userblock(properties, &user_block) < 0 || user_block != 0) unfit("the file begins with a user block", place);
  for (const std::string& name : groups_of(file)) {
    const Handle group(H5Gopen2(file, name.c_str(), H5P_DEFAULT), H5Gclose);
    if (group && has(group, "labels")) read_split(group, name);
  }
  if (splits_.empty()) unfit("no group has labels", place);
  if (has(file, "class_names")) {
    class_names_ = strings(file, "class_names", place);
    classes_ = static_cast<std::int64_t>(class_names_.size());
  } else {
    for (const Split& split : splits_) {
      for (const std::int64_t label : split.labels) classes_ = std::max(classes_, label + 1);
    }
  }
}

void Hdf5Dataset::read_split(hid_t group, const std::string& name) {
  const std::string place = fmt::format("{}: {}", file_->path().string(), name);
  Split& split = splits_.emplace_back();
  split.name = name;
  split.labels = integers(group, "labels", place);
  std::size_t count = 0;
  if (has(group, "images")) {
    split.images.emplace(*file_, group, "images", place + "/images");
    if (split.images->shape().rank() != 4) unfit("its shape is " + split.images->shape().str(), place + "/images");
    count = static_cast<std::size_t>(split.images->shape()[0]);
  } else if (has(group, "bytes")) {
    split.bytes.emplace(*file_, group, "bytes", place + "/bytes");
    if (split.bytes->shape().rank() != 1) unfit("its shape is " + split.bytes->shape().str(), place + "/bytes");
    split.offsets = integers(group, "offsets", place);
    const auto& offsets = split.offsets;
    if (offsets.empty() || offsets.front() < 0 || !std::ranges::is_sorted(offsets) ||
        static_cast<std::uint64_t>(offsets.back()) > split.bytes->size()) {
      unfit(fmt::format("the offsets do not rise from 0 or more to at most {}, the number of bytes", split.bytes->size()),
            place + "/offsets");
    }
    count = offsets.size() - 1;
  } else {
    unfit("there are neither images nor bytes", place);
  }
  if (split.labels.size() != count) unfit(fmt::format("{} labels for {} pictures", split.labels.size(), count), place);
  if (has(group, "names")) {
    split.names = strings(group, "names", place);
    if (split.names.size() != count) unfit(fmt::format("{} names for {} pictures", split.names.size(), count), place);
  }
}

Shape Hdf5Dataset::shape() const {
  const auto of = [](const Split& split) {
    if (!split.images) return Shape{};
    const Shape& all = split.images->shape();
    return Shape{all[1], all[2], all[3]};
  };
  const Shape first = of(splits_.front());
  return std::ranges::all_of(splits_, [&](const Split& split) { return of(split) == first; }) ? first : Shape{};
}

std::vector<std::string> Hdf5Dataset::splits() const {
  std::vector<std::string> names;
  for (const Split& split : splits_) names.push_back(split.name);
  return names;
}

const Hdf5Dataset::Split& Hdf5Dataset::find(std::string_view name) const {
  const auto found = std::ranges::find(splits_, name, &Split::name);
  if (found == splits_.end()) {
    fail(Error::Category::usage, tag, fmt::format("there is no split {}", name), file_->path().string(),
         fmt::format("the splits are {}", fmt::join(splits(), ", ")));
  }
  return *found;
}

std::int64_t Hdf5Dataset::size(std::string_view split) const { return static_cast<std::int64_t>(find(split).labels.size()); }

std::string Hdf5Dataset::class_name(std::int64_t label) const {
  return class_names_.empty() ? std::to_string(label) : class_names_.at(static_cast<std::size_t>(label));
}

std::size_t Hdf5Dataset::checked(const Split& split, std::int64_t index) const {
  if (index < 0 || static_cast<std::size_t>(index) >= split.labels.size()) {
    fail(Error::Category::data, tag, fmt::format("no example {}: split {} has {}", index, split.name, split.labels.size()),
         file_->path().string());
  }
  return static_cast<std::size_t>(index);
}

/// Where the bytes of an example begin in its array, and how many there are.
std::pair<std::uint64_t, std::uint64_t> Hdf5Dataset::range(const Split& split, std::size_t number) const {
  if (split.images) {
    const std::uint64_t row = split.images->size() / split.labels.size();
    return {number * row, row};
  }
  const auto begin = static_cast<std::uint64_t>(split.offsets[number]),
             end = static_cast<std::uint64_t>(split.offsets[number + 1]);
  return {begin, end - begin};
}

std::string Hdf5Dataset::place(std::string_view name, std::int64_t index) const {
  const Split& split = find(name);
  const auto [first, count] = range(split, checked(split, index));
  const ByteArray& array = split.images ? *split.images : *split.bytes;
  return fmt::format("{}: {}, record {} at offset {}", file_->path().string(), name, index, array.offset_of(first));
}

Example Hdf5Dataset::get(std::string_view name, std::int64_t index) const {
  const Split& split = find(name);
  const std::size_t number = checked(split, index);
  const auto [first, count] = range(split, number);
  const auto bad = [&](const std::string& what) {
    fail(Error::Category::data, tag, what, place(name, index), "make the file again, or set dataset.on_corrupt = skip");
  };
  Example example;
  example.label = split.labels[number];
  if (example.label < 0 || example.label >= classes_)
    bad(fmt::format("the label is {} of {} classes", example.label, classes_));
  if (!split.names.empty()) example.name = split.names[number];
  if (count == 0) bad("the picture has no bytes");
  const auto memory = std::make_shared_for_overwrite<std::byte[]>(count);
  const std::span<std::byte> bytes(memory.get(), count);
  (split.images ? *split.images : *split.bytes).read(first, bytes);
  example.bytes = bytes, example.owner = memory;
  if (split.images) {
    const Shape& shape = split.images->shape();
    example.shape = {shape[1], shape[2], shape[3]};
    return example;
  }
  const auto encoding = image::encoding_of(bytes);
  if (!encoding) bad(fmt::format("these {} bytes are neither a JPEG nor a PNG", count));
  example.encoding = *encoding;
  return example;
}

}  // namespace qfw::hdf5_dataset
