#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "io/hdf5.h"
#include "io/weights_reader.h"
#include "qfw/error.h"
#include "qfw/foreign_hdf5.h"

namespace qfw {

namespace {

using hdf5::Handle;

constexpr const char* tag = weights_tag;

class Hdf5Weights final : public WeightsReader {
 public:
  Hdf5Weights(const RegularFile& file, const std::string& group) : place_(file.path().string()) {
    file_ = {foreign_hdf5::open(file, tag), H5Fclose};
    const std::string path = group.empty() ? "/" : group;
    root_ = {H5Gopen2(file_.get(), path.c_str(), H5P_DEFAULT), H5Gclose};
    if (root_.get() < 0) refuse_link(path);
    if (root_.get() < 0)
      fail(Error::Category::data, tag, fmt::format("there is no group {}", path), place_,
           "name one that is there with --group");
    if (!group.empty()) place_ += ":" + group;
  }

  std::vector<ListedTensor> list() override {
    std::vector<ListedTensor> all;
    for (const std::string& name : names()) {
      const Handle data(H5Dopen2(root_.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
      ListedTensor& tensor = all.emplace_back(ListedTensor{name, "unreadable", {}});
      if (data.get() < 0) continue;
      const Handle type(H5Dget_type(data.get()), H5Tclose), space(H5Dget_space(data.get()), H5Sclose);
      tensor.type = foreign_hdf5::describe_type(type.get());
      tensor.extents = extents_of(space.get());
    }
    return all;
  }

  std::optional<FoundTensor> read(const AskedTensor& asked) override {
    const Handle data(H5Dopen2(root_.get(), asked.name.c_str(), H5P_DEFAULT), H5Dclose);
    if (data.get() < 0) {
      refuse_link(asked.name);
      if (names().contains(asked.name)) unreadable(asked.name, "it cannot be opened");
      return std::nullopt;
    }
    FoundTensor to;
    if (const std::string why = foreign_hdf5::objection_to(data.get()); !why.empty()) unreadable(asked.name, why);
    const Handle type(H5Dget_type(data.get()), H5Tclose), space(H5Dget_space(data.get()), H5Sclose);
    const bool whole = asked.type.dtype == DType::s32;
    if (!fits(space.get(), asked.type.shape) || H5Tget_class(type.get()) != (whole ? H5T_INTEGER : H5T_FLOAT)) {
      to.otherwise = ListedTensor{asked.name, foreign_hdf5::describe_type(type.get()), extents_of(space.get())}.str();
      return to;
    }
    if (whole) {
      read_whole(data.get(), asked, to.values);
    } else if (H5Tget_size(type.get()) > sizeof(float)) {
      read_wide(data.get(), asked, to.values);
    } else {
      read_all(data.get(), H5T_NATIVE_FLOAT, asked, to.values);
    }
    return to;
  }

 private:
  /// Paths of all data sets.
  const std::set<std::string>& names() {
    if (listed_) return names_;
    if (H5Lvisit(root_.get(), H5_INDEX_NAME, H5_ITER_NATIVE, add, this) < 0)
      fail(Error::Category::data, tag, "what is in the file cannot be listed", place_,
           "it is damaged, or its groups are too deep: make it again");
    if (names_.size() > most_names)
      fail(Error::Category::data, tag, fmt::format("there are more than {} data sets", most_names), place_,
           "name a group of weights with --group");
    listed_ = true;
    return names_;
  }
  static herr_t add(hid_t group, const char* name, const H5L_info_t* link, void* self) {
    auto& names = static_cast<Hdf5Weights*>(self)->names_;
    H5O_info_t object;
    if (link->type != H5L_TYPE_HARD && link->type != H5L_TYPE_SOFT) return 0;
    const std::string_view text(name);
    if (text.size() > longest_name || std::ranges::count(text, '/') > static_cast<std::ptrdiff_t>(deepest_name)) return -1;
    if (names.size() > most_names) return 1;
    if (H5Oget_info_by_name2(group, name, &object, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
      return link->type == H5L_TYPE_HARD ? -1 : 0;  // a link may lead nowhere, an object must be there
    }
    if (object.type == H5O_TYPE_DATASET) names.emplace(text);
    return 0;
  }
  static bool fits(hid_t space, const Shape& shape) {
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    return H5Sget_simple_extent_ndims(space) == shape.rank() &&
           H5Sget_simple_extent_dims(space, extents.data(), nullptr) >= 0 &&
           std::equal(shape.begin(), shape.end(), extents.begin(),
                      [](std::int64_t ours, hsize_t theirs) { return static_cast<hsize_t>(ours) == theirs; });
  }
  static std::vector<std::int64_t> extents_of(hid_t space) {
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    const int rank = std::max(0, H5Sget_simple_extent_dims(space, extents.data(), nullptr));
    return {extents.begin(), extents.begin() + rank};
  }
  template <class T>
  void read_all(hid_t data, hid_t as, const AskedTensor& asked, std::vector<T>& to) const {
    to.resize(static_cast<std::size_t>(asked.type.shape.count()));
    if (!to.empty() && H5Dread(data, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, to.data()) < 0)
      unreadable(asked.name, "its values cannot be read");
  }
  void read_whole(hid_t data, const AskedTensor& asked, std::vector<float>& to) const {
    std::vector<std::int64_t> values;
    read_all(data, H5T_NATIVE_INT64, asked, values);
    for (const std::int64_t value : values) {
      if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
        unreadable(asked.name, fmt::format("its value {} is beyond 32 bits", value));
    }
    to.assign(values.begin(), values.end());
  }
  void read_wide(hid_t data, const AskedTensor& asked, std::vector<float>& to) const {
    std::vector<double> values;
    read_all(data, H5T_NATIVE_DOUBLE, asked, values);
    to.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) to.push_back(as_f32(values[i], asked.name, i, place_));
  }
  void refuse_link(const std::string& path) const {
    const std::string link = foreign_hdf5::take_refused_link();
    if (!link.empty()) unreadable(path, "it is a link to another file, " + link);
  }
  [[noreturn]] void unreadable(const std::string& path, const std::string& why) const {
    fail(Error::Category::data, tag, fmt::format("cannot read {}: {}", path, why), place_,
         "store the values in this file, and whole");
  }

  std::string place_;
  Handle file_, root_;
  std::set<std::string> names_;
  bool listed_ = false;
};

}  // namespace

std::unique_ptr<WeightsReader> open_hdf5_weights(const RegularFile& file, const std::string& group) {
  return std::make_unique<Hdf5Weights>(file, group);
}

}  // namespace qfw
