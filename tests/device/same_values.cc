// Whether two HDF5 files of tensors (checkpoints, logits) hold the same bytes:
//   same_values A.h5 B.h5 [GROUP]
// Prints `ok, N values`, or `WRONG` with how many differ, where first, and by how much at most. Exit status 0: the same, 1:
// not, 2: a file cannot be read.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "io/hdf5.h"

namespace {

namespace hdf5 = qfw::hdf5;
using hdf5::Place;

herr_t note(hid_t at, const char* name, const H5L_info_t*, void* names) {
  H5O_info_t info;
  if (H5Oget_info_by_name2(at, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) return -1;
  if (info.type == H5O_TYPE_DATASET) static_cast<std::set<std::string>*>(names)->insert(name);
  return 0;
}

struct Tensor {
  qfw::TensorType type;
  std::vector<std::byte> bytes;
};

class File {
 public:
  File(const std::string& path, const std::string& group) : place_{path, group}, file_(hdf5::open_file(path)) {
    group_ = hdf5::checked(H5Gopen2(file_.get(), group.c_str(), H5P_DEFAULT), H5Gclose, "open the group", place_);
    hdf5::check(H5Lvisit(group_.get(), H5_INDEX_NAME, H5_ITER_INC, note, &names_), "list the group", place_);
  }

  const std::set<std::string>& names() const { return names_; }
  Tensor read(const std::string& name) const {
    const Place place{place_.file, name};
    const hdf5::Handle set = hdf5::open_data_set(group_.get(), name, place);
    Tensor tensor{hdf5::type_of(set.get(), place), {}};
    tensor.bytes.resize(tensor.type.bytes());
    hdf5::read(set.get(), {tensor.type, tensor.bytes}, place);
    return tensor;
  }

 private:
  Place place_;
  hdf5::Handle file_, group_;
  std::set<std::string> names_;
};

double number(const Tensor& tensor, std::size_t index) {
  const std::byte* const at = tensor.bytes.data() + index * size_of(tensor.type.dtype);
  const auto as = [&]<class T>(T value) {
    std::memcpy(&value, at, sizeof value);
    return static_cast<double>(static_cast<float>(value));
  };
  switch (tensor.type.dtype) {
    case qfw::DType::f32:
      return as(0.0f);
    case qfw::DType::bf16:
      return as(qfw::BFloat16());
    case qfw::DType::f16:
      return as(qfw::Float16());
    case qfw::DType::s32:
      return as(std::int32_t{});
    case qfw::DType::s8:
      return as(std::int8_t{});
    case qfw::DType::u8:
      return as(std::uint8_t{});
  }
  return 0;
}

struct Comparison {
  std::size_t values = 0, differ = 0;
  double most = 0;
  std::string first;

  void add(const std::string& name, const Tensor& a, const Tensor& b) {
    const std::size_t size = size_of(a.type.dtype), count = a.bytes.size() / size;
    values += count;
    for (std::size_t i = 0; i < count; ++i) {
      if (std::memcmp(&a.bytes[i * size], &b.bytes[i * size], size) == 0) continue;
      const double from = number(a, i), to = number(b, i), apart = std::abs(from - to);
      if (differ++ == 0) first = fmt::format("{}[{}]: {:.9g} and {:.9g}", name, i, from, to);
      most = apart >= 0 ? std::max(most, apart) : INFINITY;  // NaN is the furthest
    }
  }
};

int compare(const std::string& path_a, const std::string& path_b, const std::string& group) {
  const hdf5::Lock lock;
  const File a(path_a, group), b(path_b, group);
  if (a.names() != b.names() || a.names().empty()) {
    fmt::print("WRONG {} data sets and {}, of which not all have the same names\n", a.names().size(), b.names().size());
    return 1;
  }
  Comparison all;
  for (const std::string& name : a.names()) {
    const Tensor one = a.read(name), other = b.read(name);
    if (one.type != other.type) {
      fmt::print("WRONG {} is {} and {}\n", name, one.type.str(), other.type.str());
      return 1;
    }
    all.add(name, one, other);
  }
  if (all.differ == 0) {
    fmt::print("ok, {} values\n", all.values);
  } else {
    fmt::print("WRONG {} of {} values differ, by {:.3g} at most, first {}\n", all.differ, all.values, all.most, all.first);
  }
  return all.differ == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) try {
  if (count != 3 && count != 4) {
    fmt::print(stderr, "usage: same_values A.h5 B.h5 [GROUP]\n");
    return 2;
  }
  return compare(arguments[1], arguments[2], count == 4 ? arguments[3] : "/");
} catch (const std::exception& error) {
  fmt::print("WRONG {}\n", error.what());
  return 2;
}
