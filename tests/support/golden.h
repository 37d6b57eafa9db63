#pragma once

#include <hdf5.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "qfw/tensor.h"

/// Reads the reference numbers of tests/golden (see its README), whatever variant of them: shapes and counts come from the
/// file.
namespace qfw::golden {

/// QFW_GOLDEN_DIR, or the tree's own folder.
inline std::filesystem::path folder() {
  const char* chosen = std::getenv("QFW_GOLDEN_DIR");
  return chosen != nullptr && *chosen != '\0' ? std::filesystem::path(chosen)
                                              : std::filesystem::path(QFW_SOURCE_DIR) / "tests" / "golden";
}

struct Array {
  Shape shape;
  std::vector<float> values;
};

class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close, const std::string& what) : id_(id), close_(close) {
    if (id < 0) throw std::runtime_error("golden data: cannot open " + what);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// A group of a file: attributes, data sets and further groups, by name. A missing one is an exception that names it.
class Group {
 public:
  static Group open(const std::string& file) { return open_file(folder() / file); }
  static Group open_file(const std::filesystem::path& file) {
    const std::string path = file.string();
    Handle opened(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose, path);
    return {Handle(H5Gopen2(opened, "/", H5P_DEFAULT), H5Gclose, path), path};  // the group keeps the file open
  }

  Group group(const std::string& name) const {
    return {Handle(H5Gopen2(group_, name.c_str(), H5P_DEFAULT), H5Gclose, name_ + ":" + name), name_ + ":" + name};
  }
  /// case_000, case_001, ...
  std::vector<Group> cases() const {
    std::vector<Group> all;
    const auto count = static_cast<int>(number("num_cases"));
    for (int i = 0; i < count; ++i)
      all.push_back(group("case_" + std::string(i < 10 ? "00" : i < 100 ? "0" : "") + std::to_string(i)));
    return all;
  }
  /// Names of the groups in it, in alphabetical order.
  std::vector<std::string> children() const {
    std::vector<std::string> names;
    const auto add = [](hid_t group, const char* name, const H5L_info_t*, void* all) -> herr_t {
      H5O_info_t info;
      if (H5Oget_info_by_name(group, name, &info, H5P_DEFAULT) < 0) return -1;
      if (info.type == H5O_TYPE_GROUP) static_cast<std::vector<std::string>*>(all)->emplace_back(name);
      return 0;
    };
    check(H5Literate(group_, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names), "its groups");
    return names;
  }
  const std::string& name() const { return name_; }
  /// Of a data set or group, whose path may lead through groups.
  bool has(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (H5Lexists(group_, path.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
    }
    return H5Lexists(group_, path.c_str(), H5P_DEFAULT) > 0;
  }
  bool has_attribute(const std::string& name) const { return H5Aexists(group_, name.c_str()) > 0; }

  double number(const std::string& name) const {
    double value = 0;
    const Handle attribute = open_attribute(name);
    check(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value), name);
    return value;
  }
  std::vector<std::int64_t> numbers(const std::string& name) const {
    const Handle attribute = open_attribute(name);
    const Handle space(H5Aget_space(attribute), H5Sclose, name);
    std::vector<std::int64_t> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
    check(H5Aread(attribute, H5T_NATIVE_INT64, values.data()), name);
    return values;
  }
  bool flag(const std::string& name) const { return number(name) != 0; }
  bool is_text(const std::string& name) const {
    const Handle attribute = open_attribute(name);
    const Handle type(H5Aget_type(attribute), H5Tclose, name);
    return H5Tget_class(type) == H5T_STRING;
  }
  std::string text(const std::string& name) const {
    const Handle attribute = open_attribute(name);
    const Handle type(H5Aget_type(attribute), H5Tclose, name);
    if (H5Tis_variable_str(type) > 0) {
      char* value = nullptr;
      check(H5Aread(attribute, type, &value), name);
      std::string result = value == nullptr ? "" : value;
      H5free_memory(value);
      return result;
    }
    std::string value(H5Tget_size(type), '\0');
    check(H5Aread(attribute, type, value.data()), name);
    return value.c_str();
  }
  bool is_none(const std::string& name) const { return is_text(name) && text(name) == "none"; }

  Array floats(const std::string& name) const {
    Array array;
    array.values = read<float>(name, H5T_NATIVE_FLOAT, &array.shape);
    return array;
  }
  /// A data set that is one string.
  std::string text_data(const std::string& name) const {
    const Handle data(H5Dopen2(group_, name.c_str(), H5P_DEFAULT), H5Dclose, name_ + ", data set " + name);
    const Handle type(H5Dget_type(data), H5Tclose, name);
    char* value = nullptr;
    check(H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), name);
    std::string result = value == nullptr ? "" : value;
    H5free_memory(value);
    return result;
  }
  std::vector<double> doubles(const std::string& name) const { return read<double>(name, H5T_NATIVE_DOUBLE); }
  std::vector<std::int64_t> integers(const std::string& name) const { return read<std::int64_t>(name, H5T_NATIVE_INT64); }

 private:
  Group(Handle group, std::string name) : group_(std::move(group)), name_(std::move(name)) {}

  void check(herr_t status, const std::string& what) const {
    if (status < 0) throw std::runtime_error("golden data: cannot read " + name_ + ":" + what);
  }
  Handle open_attribute(const std::string& name) const {
    return {H5Aopen(group_, name.c_str(), H5P_DEFAULT), H5Aclose, name_ + ", attribute " + name};
  }
  template <class T>
  std::vector<T> read(const std::string& name, hid_t type, Shape* shape = nullptr) const {
    const Handle data(H5Dopen2(group_, name.c_str(), H5P_DEFAULT), H5Dclose, name_ + ", data set " + name);
    const Handle space(H5Dget_space(data), H5Sclose, name);
    std::vector<T> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
    check(H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), name);
    if (shape != nullptr) {
      std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
      H5Sget_simple_extent_dims(space, extents.data(), nullptr);
      *shape = Shape(std::vector<std::int64_t>(extents.begin(), extents.end()));
    }
    return values;
  }

  Handle group_;
  std::string name_;
};

}  // namespace qfw::golden
