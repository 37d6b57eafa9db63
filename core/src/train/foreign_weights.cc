#include "train/foreign_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <set>

#include "io/hdf5.h"
#include "io/log.h"
#include "io/tensor_file.h"

namespace qfw {

namespace {

constexpr std::size_t names_told = 8;

std::string joined(std::string group, const std::string& path) {
  while (group.ends_with('/')) group.pop_back();
  while (group.starts_with('/')) group.erase(0, 1);
  return group.empty() ? path : group + "/" + path;
}

std::string first_part(const std::string& path) { return path.substr(0, path.find('/')); }

bool is_quantizers(const Variable& variable) {
  return variable.kind == Variable::Kind::state &&
         (variable.name.find("/src/") != std::string::npos || variable.name.find("/weights/") != std::string::npos);
}

/// The other system's extents of a variable of ours.
Shape their_shape(const Shape& ours, const std::vector<int>& axes) {
  if (axes.empty()) return ours;
  std::vector<std::int64_t> extents;
  for (const int axis : axes) extents.push_back(axis < 0 ? 1 : ours[axis]);
  return Shape(extents);
}

/// For each element in the order of theirs, its place in ours.
std::vector<std::size_t> places(const Shape& ours, const std::vector<int>& axes) {
  std::vector<std::size_t> result(static_cast<std::size_t>(ours.count()));
  if (axes.empty()) {
    std::iota(result.begin(), result.end(), 0);
    return result;
  }
  std::vector<std::int64_t> stride_of(static_cast<std::size_t>(ours.rank()), 1);
  for (int axis = ours.rank() - 2; axis >= 0; --axis) {
    stride_of[static_cast<std::size_t>(axis)] = stride_of[static_cast<std::size_t>(axis) + 1] * ours[axis + 1];
  }
  const Shape theirs = their_shape(ours, axes);
  std::vector<std::int64_t> index(axes.size(), 0);
  for (std::size_t& place : result) {
    std::int64_t at = 0;
    for (std::size_t k = 0; k < axes.size(); ++k)
      at += axes[k] < 0 ? 0 : index[k] * stride_of[static_cast<std::size_t>(axes[k])];
    place = static_cast<std::size_t>(at);
    for (std::size_t k = axes.size(); k-- > 0;) {
      if (++index[k] < theirs[static_cast<int>(k)]) break;
      index[k] = 0;
    }
  }
  return result;
}

float number_at(std::span<const std::byte> bytes, DType dtype, std::size_t i) {
  if (dtype == DType::s32) {
    std::int32_t value;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    return static_cast<float>(value);
  }
  float value;
  std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
  return value;
}

void set_number(std::span<std::byte> bytes, DType dtype, std::size_t i, float number) {
  if (dtype == DType::s32) {
    const auto value = static_cast<std::int32_t>(number);
    std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
  } else {
    std::memcpy(bytes.data() + i * sizeof number, &number, sizeof number);
  }
}

/// Paths of all data sets below a group.
std::set<std::string> data_sets(hid_t group, const hdf5::Place& place) {
  std::set<std::string> names;
  const auto add = [](hid_t, const char* name, const H5O_info_t* info, void* all) -> herr_t {
    if (info->type == H5O_TYPE_DATASET) static_cast<std::set<std::string>*>(all)->emplace(name);
    return 0;
  };
  hdf5::check(H5Ovisit(group, H5_INDEX_NAME, H5_ITER_INC, add, &names), "list what is in it", place);
  return names;
}

[[noreturn]] void unfit(const std::string& what, const std::vector<std::string>& names, const hdf5::Place& place,
                        std::string_view remedy) {
  const std::size_t shown = std::min(names.size(), names_told);
  std::string text =
      fmt::format("{}: {}", what, fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(", and {} more", names.size() - shown);
  fail(Error::Category::data, "weights", text,
       place.object.empty() ? place.file.string() : fmt::format("{}:{}", place.file.string(), place.object), remedy);
}

const Variable& find(const std::vector<Variable>& variables, const std::string& name) {
  return *std::ranges::find(variables, name, &Variable::name);
}

}  // namespace

Values read_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                            const std::vector<Variable>& variables) {
  const hdf5::Lock lock;
  const hdf5::Place place{file, group};
  const auto opened = hdf5::open_file(file);
  const std::string path = group.empty() ? "/" : group;
  if (path != "/" && H5Lexists(opened.get(), path.c_str(), H5P_DEFAULT) <= 0)
    fail(Error::Category::data, "weights", fmt::format("there is no group {}", path), file.string(),
         "name one that is there with --group");
  const auto root = hdf5::checked(H5Gopen2(opened.get(), path.c_str(), H5P_DEFAULT), H5Gclose, "open the group", place);
  const auto there = data_sets(root.get(), place);
  std::set<std::string> parts_there, parts_known;
  for (const std::string& name : there) parts_there.insert(first_part(name));

  Values values;
  std::set<std::string> used, absent;
  std::vector<std::string> missing, misshapen, left_over;
  for (const Format::Tensor& tensor : format.tensors(variables)) {
    const Variable& variable = find(variables, tensor.variable);
    const std::string part = first_part(tensor.path);
    parts_known.insert(part);
    if (!there.contains(tensor.path)) {
      if (is_quantizers(variable) && !parts_there.contains(part)) {
        absent.insert(part);
      } else {
        missing.push_back(fmt::format("{} (for {})", tensor.path, tensor.variable));
      }
      continue;
    }
    used.insert(tensor.path);
    const auto data = hdf5::open_data_set(root.get(), tensor.path, {file, joined(group, tensor.path)});
    const TensorType found = hdf5::type_of(data.get(), {file, joined(group, tensor.path)});
    const Shape expected = their_shape(variable.type.shape, tensor.axes);
    if (!(found == TensorType{expected, tensor.dtype})) {
      misshapen.push_back(fmt::format("{} is {}, expected {} (for {})", tensor.path, found.str(),
                                      TensorType{expected, tensor.dtype}.str(), tensor.variable));
      continue;
    }
    std::vector<std::byte> theirs(found.bytes());
    hdf5::read(data.get(), {found, theirs}, {file, joined(group, tensor.path)});
    const auto to = places(variable.type.shape, tensor.axes);
    std::vector<float> ours(to.size());
    for (std::size_t i = 0; i < to.size(); ++i) ours[to[i]] = number_at(theirs, tensor.dtype, i);
    values.emplace(tensor.variable, std::move(ours));
  }
  if (!missing.empty()) unfit("the file lacks", missing, place, "check --group, and that the recipe describes this network");
  if (!misshapen.empty()) unfit("tensors of another shape", misshapen, place, "check that the recipe describes this network");
  for (const std::string& name : there) {
    if (parts_known.contains(first_part(name)) && !used.contains(name)) left_over.push_back(name);
  }
  if (!left_over.empty())
    unfit("the recipe's network has no place for", left_over, place, "check that the recipe describes this network");
  for (const std::string& part : absent) logger().warn("{} is not in the file; its variables keep their initial values", part);
  for (const std::string& part : parts_there) {
    if (!parts_known.contains(part)) logger().info("not imported: {}", part);
  }
  return values;
}

void write_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                           const std::vector<Variable>& variables, const Checkpoint& checkpoint) {
  const auto tensors = format.tensors(variables);
  std::vector<std::vector<std::byte>> values;
  std::vector<NamedTensor> named;
  values.reserve(tensors.size());
  for (const Format::Tensor& tensor : tensors) {
    const TensorType& type = find(variables, tensor.variable).type;
    std::vector<float> ours(static_cast<std::size_t>(type.shape.count()));
    checkpoint.read(tensor.variable, {type, std::as_writable_bytes(std::span(ours))});
    const TensorType theirs{their_shape(type.shape, tensor.axes), tensor.dtype};
    const auto from = places(type.shape, tensor.axes);
    auto& bytes = values.emplace_back(theirs.bytes());
    for (std::size_t i = 0; i < from.size(); ++i) set_number(bytes, tensor.dtype, i, ours[from[i]]);
    named.push_back({joined(group, tensor.path), {theirs, bytes}});
  }
  write_tensors(file, named);
}

bool has_all_bounds(const Values& values) {
  bool any = false, all = true;
  for (const auto& [name, bounds] : values) {
    if (!name.ends_with("/src/bounds")) continue;
    any = true;
    const auto unset = std::ranges::count(bounds, -1.f);
    if (unset != 0 && unset != static_cast<std::ptrdiff_t>(bounds.size())) {
      fail(Error::Category::data, "weights",
           fmt::format("{} of {} bounds are -1, which stands for none yet", unset, bounds.size()), name,
           "import a state in which every channel has a bound, or none has");
    }
    all = all && unset == 0;
  }
  return any && all;
}

}  // namespace qfw
