#include "values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <cstring>

#include "qfw/error.h"
#include "qfw/foreign_hdf5.h"

namespace qfw::hdf5_dataset {

namespace {

constexpr std::uint64_t most_elements = std::uint64_t{1} << 28, most_text = std::uint64_t{1} << 28;

/// Why the library could not: for want of a filter, as h5py's lzf, or for damage.
[[noreturn]] void unreadable(hid_t data, const std::string& place) {
  const Handle properties(H5Dget_create_plist(data), H5Pclose);
  for (int i = 0; i < H5Pget_nfilters(properties); ++i) {
    const auto [number, name] = filter_at(properties, i);
    if (H5Zfilter_avail(number) > 0) continue;
    fail(Error::Category::data, tag, fmt::format("it is stored through filter {} ({})", number, name), place,
         "store it with no filter but gzip and shuffle");
  }
  unfit("it cannot be read, it is damaged", place);
}

template <class T>
std::vector<T> all_of(hid_t data, hid_t as, std::uint64_t count, const std::string& place) {
  std::vector<T> values(count);
  if (count > 0 && H5Dread(data, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) unreadable(data, place);
  return values;
}

template <class T>
std::vector<std::int64_t> exact(const std::vector<T>& values, const std::string& place) {
  constexpr double limit = 9007199254740992;  // 2^53: up to here a double is exact
  std::vector<std::int64_t> result;
  result.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto number = static_cast<double>(values[i]);
    if (!(std::abs(number) <= limit && std::trunc(number) == number))
      unfit(fmt::format("element {} is {}, no number of a class", i, values[i]), place);
    result.push_back(static_cast<std::int64_t>(values[i]));
  }
  return result;
}

std::uint64_t length_of(hid_t data, const std::string& place) {
  const auto extents = extents_of(data, place);
  if (extents.size() == 2 && extents[1] > 1) {
    unfit(fmt::format("its shape is [{}], expected [N]: one row for each example is one-hot, or of several labels",
                      fmt::join(extents, ", ")),
          place);
  }
  if (extents.empty() || extents.size() > 2)
    unfit(fmt::format("its shape is [{}], expected [N]", fmt::join(extents, ", ")), place);
  // A header must not ask for all memory.
  if (extents[0] > most_elements)
    unfit(fmt::format("it has {} elements, at most {} are taken", extents[0], most_elements), place);
  return extents.size() == 2 && extents[1] == 0 ? 0 : extents[0];
}

}  // namespace

void unfit(const std::string& what, const std::string& place) {
  fail(Error::Category::data, tag, what, place,
       "expected in each split's group are images [N, H, W, C] of uint8, or bytes and offsets [N + 1]; and labels [N]");
}

bool has(hid_t group, const char* name, const std::string& place) {
  const htri_t there = H5Lexists(group, name, H5P_DEFAULT);
  if (there < 0) unfit(fmt::format("it cannot be told whether {} is there, it is damaged", name), place);
  return there > 0;
}

Handle open_data(hid_t group, const char* name, const std::string& place) {
  Handle data(H5Dopen2(group, name, H5P_DEFAULT), H5Dclose);
  const std::string link = foreign_hdf5::take_refused_link();
  if (!data && !link.empty()) {
    fail(Error::Category::data, tag, fmt::format("it is a link to another file, {}", link), place,
         "copy what it stands for into this file");
  }
  if (!data) unfit(has(group, name, place) ? "it cannot be opened as a data set" : "there is no such data set", place);
  if (const std::string why = foreign_hdf5::objection_to(data); !why.empty()) {
    fail(Error::Category::data, tag, why, place, "write all of its values into this file");
  }
  return data;
}

Filter filter_at(hid_t properties, int place) {
  unsigned flags = 0, config = 0;
  std::size_t count = 0;
  std::array<char, 64> name{};
  const H5Z_filter_t number =
      H5Pget_filter2(properties, static_cast<unsigned>(place), &flags, &count, nullptr, name.size() - 1, name.data(), &config);
  return {number, name.data()};
}

std::vector<std::uint64_t> extents_of(hid_t data, const std::string& place) {
  const Handle space(H5Dget_space(data), H5Sclose);
  std::array<hsize_t, H5S_MAX_RANK> extents{};
  const int rank = H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  if (rank < 0) unfit("its shape cannot be read", place);
  return {extents.begin(), extents.begin() + rank};
}

std::vector<std::int64_t> whole_numbers(hid_t group, const char* name, const std::string& place) {
  const Handle data = open_data(group, name, place), type(H5Dget_type(data), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT)
    unfit(fmt::format("its elements are of type {}, not integers", foreign_hdf5::describe_type(type)), place);
  const std::uint64_t count = length_of(data, place);
  if (kind == H5T_FLOAT) return exact(all_of<double>(data, H5T_NATIVE_DOUBLE, count, place), place);
  if (H5Tget_sign(type) == H5T_SGN_NONE) return exact(all_of<std::uint64_t>(data, H5T_NATIVE_UINT64, count, place), place);
  return exact(all_of<std::int64_t>(data, H5T_NATIVE_INT64, count, place), place);
}

std::vector<std::string> strings(hid_t group, const char* name, const std::string& place) {
  const Handle data = open_data(group, name, place), type(H5Dget_type(data), H5Tclose), space(H5Dget_space(data), H5Sclose);
  if (H5Tget_class(type) != H5T_STRING)
    unfit(fmt::format("its elements are of type {}, not strings", foreign_hdf5::describe_type(type)), place);
  const std::uint64_t count = length_of(data, place);
  std::vector<std::string> values;
  if (H5Tis_variable_str(type) > 0) {
    auto texts = all_of<char*>(data, type, count, place);
    for (const char* text : texts) values.emplace_back(text == nullptr ? "" : text);
    if (count > 0) H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data());
    return values;
  }
  const std::uint64_t size = H5Tget_size(type);
  if (size == 0 || count > most_text / size) unfit(fmt::format("its {} strings have {} bytes each", count, size), place);
  std::vector<char> texts(count * size);
  if (count > 0 && H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data()) < 0) unreadable(data, place);
  for (std::size_t i = 0; i < count; ++i) values.emplace_back(&texts[i * size], strnlen(&texts[i * size], size));
  return values;
}

std::string text_attribute(hid_t object, const char* name, const std::string& place) {
  const htri_t there = H5Aexists(object, name);
  if (there < 0) unfit("its attributes cannot be read, it is damaged", place);
  if (there == 0) return {};
  const Handle found(H5Aopen(object, name, H5P_DEFAULT), H5Aclose), type(H5Aget_type(found), H5Tclose),
      space(H5Aget_space(found), H5Sclose);
  const std::size_t size = H5Tget_size(type);
  if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) > 0 || H5Sget_simple_extent_npoints(space) != 1 ||
      size > 4096)
    return {};
  std::string text(size, '\0');
  return H5Aread(found, type, text.data()) >= 0 ? text : std::string();
}

}  // namespace qfw::hdf5_dataset
