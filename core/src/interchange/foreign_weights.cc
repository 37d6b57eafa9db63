#include "interchange/foreign_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>

#include "io/foreign_tensors.h"
#include "io/log.h"
#include "io/tensor_file.h"
#include "qfw/error.h"

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
  return variable.role == Variable::Role::operand_statistics || variable.role == Variable::Role::operand_bounds;
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

void set_number(std::span<std::byte> bytes, DType dtype, std::size_t i, float number) {
  if (dtype == DType::s32) {
    const auto value = static_cast<std::int32_t>(number);
    std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
  } else {
    std::memcpy(bytes.data() + i * sizeof number, &number, sizeof number);
  }
}

std::string first_of(const std::vector<std::string>& names) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(names.size(), names_told));
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > names_told) text += fmt::format(", and {} more", names.size() - names_told);
  return text;
}

/// A file and what is sought in it.
struct Place {
  std::string where;

  void refuse(const std::string& what, const std::vector<std::string>& names, std::string_view remedy) const {
    if (!names.empty()) fail(Error::Category::data, "weights", fmt::format("{}: {}", what, first_of(names)), where, remedy);
  }
};

/// "3 of 64 values are not finite, the first nan at 5", or nothing. A quantizer's statistics may be infinite: a minimum of none
/// is.
std::string objection_to(std::span<const float> values, bool may_be_infinite, bool not_negative) {
  const auto told = [&](const auto& bad, const char* what) -> std::string {
    const auto count = std::ranges::count_if(values, bad);
    if (count == 0) return {};
    const auto first = std::ranges::find_if(values, bad);
    return fmt::format("{} of {} values {}, the first {} at {}", count, values.size(), what, *first, first - values.begin());
  };
  const std::string text =
      told([&](float value) { return may_be_infinite ? std::isnan(value) : !std::isfinite(value); }, "are not finite numbers");
  return text.empty() && not_negative ? told([](float value) { return value < 0; }, "are negative") : text;
}

const Variable& find(const std::vector<Variable>& variables, const std::string& name) {
  return *std::ranges::find(variables, name, &Variable::name);
}

/// Puts their tensors into our variables, and keeps what does not fit for one message of each kind.
class Fitting {
 public:
  explicit Fitting(ForeignTensors there) : there_(std::move(there)) {
    for (const std::string& name : there_.names) parts_there_.insert(first_part(name));
    for (const auto& [name, found] : there_.found) parts_there_.insert(first_part(name));
  }

  void take(const Format::Tensor& tensor, const Variable& variable, const TensorType& expected) {
    ++asked_;
    const std::string part = first_part(tensor.path);
    parts_known_.insert(part);
    const auto found = there_.found.find(tensor.path);
    if (found == there_.found.end()) {
      if (is_quantizers(variable) && !parts_there_.contains(part)) {
        absent_.insert(part);
      } else {
        missing_.push_back(fmt::format("{} (for {})", tensor.path, tensor.variable));
      }
      return;
    }
    const auto& [otherwise, theirs] = found->second;
    if (!otherwise.empty()) {
      misshapen_.push_back(
          fmt::format("{} is {}, expected {} (for {})", tensor.path, otherwise, expected.str(), tensor.variable));
      return;
    }
    if (const std::string what = objection_to(theirs, is_quantizers(variable), tensor.not_negative); !what.empty()) {
      wrong_.push_back(fmt::format("{}: {}", tensor.path, what));
    }
    const auto to = places(variable.type.shape, tensor.axes);
    std::vector<float> ours(to.size());
    for (std::size_t k = 0; k < to.size(); ++k) ours[to[k]] = theirs[k];
    values_.emplace(tensor.variable, std::move(ours));
  }

  Values finish(const Place& place) {
    constexpr const char* check_network = "check that the recipe describes this network";
    if (there_.found.empty()) {
      if (there_.names.empty()) there_.names.emplace_back("no data set");
      place.refuse(fmt::format("none of the {} tensors that the recipe's network has is there; the file holds", asked_),
                   there_.names, "name their group with --group");
    }
    place.refuse("the file lacks", missing_, "check --group, and that the recipe describes this network");
    place.refuse("tensors of another shape", misshapen_, check_network);
    place.refuse("the recipe's network has no place for", left_over(), check_network);
    place.refuse("weights that no network can have", wrong_, "export them again, from a step before they went wrong");
    for (const std::string& part : absent_) {
      logger().warn("{} is not in the file; its variables keep their initial values", part);
    }
    for (const std::string& part : parts_there_) {
      if (!parts_known_.contains(part)) logger().info("not imported: {}", part);
    }
    return std::move(values_);
  }

 private:
  std::vector<std::string> left_over() const {
    std::vector<std::string> names;
    for (const std::string& name : there_.names) {
      if (parts_known_.contains(first_part(name)) && !there_.found.contains(name)) names.push_back(name);
    }
    return names;
  }

  ForeignTensors there_;
  Values values_;
  std::size_t asked_ = 0;
  std::set<std::string> parts_there_, parts_known_, absent_;
  std::vector<std::string> missing_, misshapen_, wrong_;
};

}  // namespace

Values read_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                            const std::vector<Variable>& variables) {
  const auto tensors = format.tensors(variables, {});
  std::vector<AskedTensor> asked;
  for (const Format::Tensor& tensor : tensors) {
    asked.push_back({tensor.path, {their_shape(find(variables, tensor.variable).type.shape, tensor.axes), tensor.dtype}});
  }
  Fitting fitting(read_foreign_tensors(file, group, asked));
  for (std::size_t i = 0; i < tensors.size(); ++i)
    fitting.take(tensors[i], find(variables, tensors[i].variable), asked[i].type);
  return fitting.finish(Place{group.empty() ? file.string() : fmt::format("{}:{}", file.string(), group)});
}

void write_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                           const std::vector<Variable>& variables, const Checkpoint& checkpoint) {
  const auto tensors = format.tensors(variables, {});
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

bool has_all_bounds(const Values& values, const std::vector<Variable>& variables) {
  bool any = false, all = true;
  for (const auto& [name, bounds] : values) {
    if (find(variables, name).role != Variable::Role::operand_bounds) continue;
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
