#include "interchange/foreign_weights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <numeric>
#include <set>

#include "io/log.h"
#include "io/tensor_file.h"
#include "io/weights_file.h"
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

bool is_of_layer(const std::string& variable, const std::string& layer) { return variable.starts_with(layer + "/"); }
std::string layer_of(const std::string& variable) { return variable.substr(0, variable.rfind('/')); }

/// Sums over one axis, in double.
std::vector<float> summed(std::span<const float> values, const Shape& shape, int axis) {
  std::int64_t inner = 1, outer = 1;
  for (int k = 0; k < shape.rank(); ++k) (k < axis ? outer : inner) *= k == axis ? 1 : shape[k];
  const std::int64_t count = shape[axis];
  std::vector<float> result(static_cast<std::size_t>(outer * inner));
  for (std::int64_t i = 0; i < outer * inner; ++i) {
    double sum = 0;
    for (std::int64_t k = 0; k < count; ++k) {
      sum += static_cast<double>(values[static_cast<std::size_t>((i / inner * count + k) * inner + i % inner)]);
    }
    result[static_cast<std::size_t>(i)] = static_cast<float>(sum);
  }
  return result;
}

/// A tensor that is asked for, and how it becomes a variable.
struct Wanted {
  Format::Tensor tensor;
  AskedTensor asked, minus;  ///< minus.name is empty where nothing is subtracted
  int summed_axis = -1;      ///< of theirs; -1: none
};

/// What to ask a file for.
class Wishes {
 public:
  Wishes(const Format& format, const std::vector<Variable>& variables, const std::vector<ListedTensor>& listed,
         const Adaptation& adaptation) {
    for (const ListedTensor& tensor : listed) {
      names_.push_back(tensor.name);
      there_.emplace(tensor.name, &tensor);
    }
    for (Format::Tensor& tensor : format.tensors(variables, names_)) {
      if (!tensor.minus.empty() && !there_.contains(tensor.minus)) tensor.minus.clear();
      if (std::ranges::any_of(adaptation.fresh, [&](const auto& layer) { return is_of_layer(tensor.variable, layer); })) {
        passed_over_.insert(tensor.path);
        passed_over_.insert(tensor.minus);
      } else {
        add(std::move(tensor), variables, adaptation.grey);
      }
    }
  }

  const std::vector<Wanted>& all() const { return wanted_; }
  const std::vector<std::string>& names() const { return names_; }
  bool passes_over(const std::string& name) const { return passed_over_.contains(name); }
  std::vector<AskedTensor> asked() const {
    std::vector<AskedTensor> all;
    for (const Wanted& wanted : wanted_) {
      all.push_back(wanted.asked);
      if (!wanted.minus.name.empty()) all.push_back(wanted.minus);
    }
    return all;
  }

 private:
  void add(Format::Tensor tensor, const std::vector<Variable>& variables, const std::string& grey) {
    const Shape& ours = find(variables, tensor.variable).type.shape;
    const Shape theirs = their_shape(ours, tensor.axes);
    Wanted wanted{std::move(tensor), {}, {}};
    const Format::Tensor& of = wanted.tensor;
    wanted.asked = {of.path, {theirs, of.dtype}};
    if (!of.minus.empty()) wanted.minus = {of.minus, {theirs, of.dtype}};
    if (of.variable == grey) ask_for_colours(wanted, ours);
    wanted_.push_back(std::move(wanted));
  }

  /// With as many input channels as the file has.
  void ask_for_colours(Wanted& wanted, const Shape& ours) const {
    if (ours.rank() != 4 || ours[2] != 1) {
      fail(Error::Category::usage, "weights",
           fmt::format("--grey is for a network that reads one channel; {} is {}", wanted.tensor.variable, ours.str()), {},
           "leave it out, or choose data of one channel");
    }
    const auto& axes = wanted.tensor.axes;
    const auto axis = axes.empty() ? 2 : std::ranges::find(axes, 2) - axes.begin();
    const auto found = there_.find(wanted.tensor.path);
    if (found == there_.end() || static_cast<std::int64_t>(found->second->extents.size()) != wanted.asked.type.shape.rank())
      return;  // which is told as it is of every tensor
    std::vector<std::int64_t> extents(wanted.asked.type.shape.begin(), wanted.asked.type.shape.end());
    if (found->second->extents[static_cast<std::size_t>(axis)] == 1) {
      logger().warn("--grey changes nothing: {} has one input channel in the file, too", wanted.tensor.path);
    }
    extents[static_cast<std::size_t>(axis)] = std::max<std::int64_t>(1, found->second->extents[static_cast<std::size_t>(axis)]);
    wanted.asked.type.shape = Shape(extents);
    wanted.summed_axis = static_cast<int>(axis);
  }

  std::vector<Wanted> wanted_;
  std::vector<std::string> names_;
  std::map<std::string, const ListedTensor*, std::less<>> there_;
  std::set<std::string> passed_over_;
};

/// Puts their tensors into our variables, and keeps what does not fit for one message of each kind.
class Fitting {
 public:
  Fitting(const Wishes& wishes, std::map<std::string, FoundTensor> found) : wishes_(wishes), found_(std::move(found)) {
    for (const std::string& name : wishes_.names()) parts_there_.insert(first_part(name));
    for (const auto& [name, tensor] : found_) parts_there_.insert(first_part(name));
  }

  void take(const Wanted& wanted, const Variable& variable) {
    const Format::Tensor& tensor = wanted.tensor;
    const std::string part = first_part(tensor.path);
    parts_known_.insert(part);
    if (!found_.contains(tensor.path)) {
      if (is_quantizers(variable) && !parts_there_.contains(part)) {
        absent_.insert(part);
      } else {
        missing_.push_back(fmt::format("{} (for {})", tensor.path, tensor.variable));
        odd_layers_.insert(layer_of(tensor.variable));
      }
      return;
    }
    const auto* values = fitting(wanted.asked, wanted, variable);
    const auto* less = wanted.minus.name.empty() ? nullptr : fitting(wanted.minus, wanted, variable);
    if (values == nullptr || (less == nullptr && !wanted.minus.name.empty())) return;
    std::vector<float> theirs = wanted.summed_axis < 0 ? *values : summed(*values, wanted.asked.type.shape, wanted.summed_axis);
    for (std::size_t i = 0; less != nullptr && i < theirs.size(); ++i) theirs[i] -= (*less)[i];
    const auto to = places(variable.type.shape, tensor.axes);
    std::vector<float> ours(to.size());
    for (std::size_t k = 0; k < to.size(); ++k) ours[to[k]] = theirs[k];
    values_.emplace(tensor.variable, std::move(ours));
  }

  Values finish(const Place& place, const Format& format) {
    constexpr const char* check_network = "check that the recipe describes this network";
    if (found_.empty()) {
      std::vector<std::string> names = wishes_.names();
      if (names.empty()) names.emplace_back("no data set");
      place.refuse(
          fmt::format("none of the {} tensors that the recipe's network has is there; the file holds", wishes_.all().size()),
          names, "name their group with --group");
    }
    place.refuse("the file lacks", missing_,
                 fmt::format("check --group, and that the recipe describes this network{}", advice()));
    place.refuse("tensors of another shape or type", misshapen_, check_network + advice());
    place.refuse("the recipe's network has no place for", left_over(format), check_network);
    place.refuse("weights that no network can have", wrong_, "export them again, from a step before they went wrong");
    for (const std::string& part : absent_) {
      logger().warn("{} is not in the file; its variables keep their initial values", part);
    }
    std::vector<std::string> others;
    std::ranges::copy_if(parts_there_, std::back_inserter(others),
                         [&](const auto& part) { return !parts_known_.contains(part); });
    if (!others.empty()) logger().info("not imported: {}", first_of(others));
    return std::move(values_);
  }

 private:
  /// The values of a tensor that is there; none if they do not fit.
  const std::vector<float>* fitting(const AskedTensor& asked, const Wanted& wanted, const Variable& variable) {
    const FoundTensor& found = found_.at(asked.name);
    if (!found.otherwise.empty()) {
      misshapen_.push_back(
          fmt::format("{} is {}, expected {} (for {})", asked.name, found.otherwise, asked.type.str(), wanted.tensor.variable));
      odd_layers_.insert(layer_of(wanted.tensor.variable));
      single_channel_ = single_channel_ || (variable.type.shape.rank() == 4 && variable.type.shape[2] == 1);
      return nullptr;
    }
    const bool is_itself = &asked == &wanted.asked;
    const std::string what = objection_to(found.values, is_quantizers(variable), is_itself && wanted.tensor.not_negative);
    if (!what.empty()) wrong_.push_back(fmt::format("{}: {}", asked.name, what));
    return &found.values;
  }

  /// Where one layer alone does not fit.
  std::string advice() const {
    if (single_channel_) return "; --grey sums the input channels of the first convolution";
    if (odd_layers_.size() != 1) return {};
    return fmt::format(", or let the layer keep initial values with --fresh={}", *odd_layers_.begin());
  }

  std::vector<std::string> left_over(const Format& format) const {
    std::vector<std::string> names;
    for (const std::string& name : wishes_.names()) {
      if (found_.contains(name) || wishes_.passes_over(name)) continue;
      if (parts_known_.contains(first_part(name)) || !format.is_incidental(name)) names.push_back(name);
    }
    return names;
  }

  const Wishes& wishes_;
  std::map<std::string, FoundTensor> found_;
  Values values_;
  std::set<std::string> parts_there_, parts_known_, absent_, odd_layers_;
  std::vector<std::string> missing_, misshapen_, wrong_;
  bool single_channel_ = false;
};

}  // namespace

Values read_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                            const std::vector<Variable>& variables, const Adaptation& adaptation) {
  const std::vector<ListedTensor> listed = list_tensors(file, group);
  const Wishes wishes(format, variables, listed, adaptation);
  Fitting fitting(wishes, read_tensors(file, group, wishes.asked()));
  for (const Wanted& wanted : wishes.all()) fitting.take(wanted, find(variables, wanted.tensor.variable));
  return fitting.finish(Place{group.empty() ? file.string() : fmt::format("{}:{}", file.string(), group)}, format);
}

void write_foreign_weights(const std::filesystem::path& file, const std::string& group, const Format& format,
                           const std::vector<Variable>& variables, const Checkpoint& checkpoint) {
  const auto tensors = format.tensors(variables, {});
  std::vector<std::vector<std::byte>> values;
  std::vector<NamedTensor> named;
  values.reserve(2 * tensors.size());
  for (const Format::Tensor& tensor : tensors) {
    const TensorType& type = find(variables, tensor.variable).type;
    std::vector<float> ours(static_cast<std::size_t>(type.shape.count()));
    checkpoint.read(tensor.variable, {type, std::as_writable_bytes(std::span(ours))});
    const TensorType theirs{their_shape(type.shape, tensor.axes), tensor.dtype};
    const auto from = places(type.shape, tensor.axes);
    auto& bytes = values.emplace_back(theirs.bytes());
    for (std::size_t i = 0; i < from.size(); ++i) set_number(bytes, tensor.dtype, i, ours[from[i]]);
    named.push_back({joined(group, tensor.path), {theirs, bytes}});
    if (tensor.minus.empty()) continue;
    named.push_back(
        {joined(group, tensor.minus), {theirs, values.emplace_back(theirs.bytes())}});  // nothing is to be subtracted
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
