#include "io/foreign_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <set>

#include "io/hdf5.h"
#include "qfw/foreign_hdf5.h"

namespace qfw {

namespace {

using hdf5::Handle;

constexpr const char* tag = "weights";
constexpr std::size_t most_names = 100'000, longest_name = 4096, deepest = 64;

/// In the child: one file's tensors.
class Reader {
 public:
  Reader(const RegularFile& file, const std::string& group) : place_(file.path().string()) {
    file_ = {foreign_hdf5::open(file, tag), H5Fclose};
    const std::string path = group.empty() ? "/" : group;
    root_ = {H5Gopen2(file_.get(), path.c_str(), H5P_DEFAULT), H5Gclose};
    if (root_.get() < 0) refuse_link(path);
    if (root_.get() < 0)
      fail(Error::Category::data, tag, fmt::format("there is no group {}", path), place_,
           "name one that is there with --group");
    if (!group.empty()) place_ += ":" + group;
  }

  const std::set<std::string>& list() {
    if (H5Lvisit(root_.get(), H5_INDEX_NAME, H5_ITER_NATIVE, add, this) < 0)
      fail(Error::Category::data, tag, "what is in the file cannot be listed", place_,
           "it is damaged, or its groups are too deep: make it again");
    if (names_.size() > most_names)
      fail(Error::Category::data, tag, fmt::format("there are more than {} data sets", most_names), place_,
           "name a group of weights with --group");
    return names_;
  }
  /// False: not there.
  bool read(const AskedTensor& asked, ForeignTensors::Found& to) const {
    const Handle data(H5Dopen2(root_.get(), asked.path.c_str(), H5P_DEFAULT), H5Dclose);
    if (data.get() < 0) {
      refuse_link(asked.path);
      if (names_.contains(asked.path)) unreadable(asked.path, "it cannot be opened");
      return false;
    }
    if (const std::string why = foreign_hdf5::objection_to(data.get()); !why.empty()) unreadable(asked.path, why);
    const Handle type(H5Dget_type(data.get()), H5Tclose), space(H5Dget_space(data.get()), H5Sclose);
    const bool whole = asked.type.dtype == DType::s32;
    if (!fits(space.get(), asked.type.shape) || H5Tget_class(type.get()) != (whole ? H5T_INTEGER : H5T_FLOAT)) {
      to.otherwise = describe(type.get(), space.get());
      return true;
    }
    if (whole) {
      read_whole(data.get(), asked, to.values);
    } else {
      read_all(data.get(), H5T_NATIVE_FLOAT, asked, to.values);
    }
    return true;
  }

 private:
  static herr_t add(hid_t group, const char* name, const H5L_info_t* link, void* self) {
    auto& names = static_cast<Reader*>(self)->names_;
    H5O_info_t object;
    if (link->type != H5L_TYPE_HARD && link->type != H5L_TYPE_SOFT) return 0;
    const std::string_view text(name);
    if (text.size() > longest_name || std::ranges::count(text, '/') > static_cast<std::ptrdiff_t>(deepest)) return -1;
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
  static std::string describe(hid_t type, hid_t space) {
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    const int rank = std::max(0, H5Sget_simple_extent_dims(space, extents.data(), nullptr));
    return fmt::format("{} [{}]", foreign_hdf5::describe_type(type), fmt::join(extents.begin(), extents.begin() + rank, ", "));
  }
  template <class T>
  void read_all(hid_t data, hid_t as, const AskedTensor& asked, std::vector<T>& to) const {
    to.resize(static_cast<std::size_t>(asked.type.shape.count()));
    if (!to.empty() && H5Dread(data, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, to.data()) < 0)
      unreadable(asked.path, "its values cannot be read");
  }
  void read_whole(hid_t data, const AskedTensor& asked, std::vector<float>& to) const {
    std::vector<std::int64_t> values;
    read_all(data, H5T_NATIVE_INT64, asked, values);
    for (const std::int64_t value : values) {
      if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
        unreadable(asked.path, fmt::format("its value {} is beyond 32 bits", value));
    }
    to.assign(values.begin(), values.end());
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
};

}  // namespace

ForeignTensors read_foreign_tensors(const std::filesystem::path& path, const std::string& group,
                                    std::span<const AskedTensor> asked) {
  const RegularFile file(path);
  Confinement limits = confinement_for(file, tag);
  for (const AskedTensor& tensor : asked) limits.memory += 2 * tensor.type.bytes();
  Received received = run_confined(limits, [&](Answer& answer) {
    Reader reader(file, group);
    const auto& names = reader.list();
    answer.put<std::uint64_t>(names.size());
    for (const std::string& name : names) answer.put_text(name);
    for (const AskedTensor& tensor : asked) {
      ForeignTensors::Found found;
      answer.put(reader.read(tensor, found));
      answer.put_text(found.otherwise);
      answer.put_list<float>(found.values);
    }
  });
  ForeignTensors all;
  for (auto count = received.take<std::uint64_t>(); count > 0; --count) all.names.push_back(received.take_text());
  for (const AskedTensor& tensor : asked) {
    const bool there = received.take<bool>();
    ForeignTensors::Found found{received.take_text(), received.take_list<float>()};
    if (found.otherwise.empty() && there && found.values.size() != static_cast<std::size_t>(tensor.type.shape.count()))
      fail(Error::Category::internal, tag, fmt::format("{} values of {}", found.values.size(), tensor.path), path.string());
    if (there) all.found.emplace(tensor.path, std::move(found));
  }
  return all;
}

}  // namespace qfw
