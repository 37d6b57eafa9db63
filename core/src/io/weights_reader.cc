#include "io/weights_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "qfw/error.h"

namespace qfw {

namespace {

template <class T>
T number_at(std::span<const std::byte> bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
  return value;
}

bool is_float(Number number) {
  return number == Number::f16 || number == Number::bf16 || number == Number::f32 || number == Number::f64;
}

double float_at(Number number, std::span<const std::byte> bytes, std::size_t i) {
  switch (number) {
    case Number::f16:
      return double{static_cast<float>(number_at<Float16>(bytes, i))};
    case Number::bf16:
      return double{static_cast<float>(number_at<BFloat16>(bytes, i))};
    case Number::f64:
      return number_at<double>(bytes, i);
    default:
      return double{number_at<float>(bytes, i)};
  }
}

/// None: beyond 64 bits.
std::optional<std::int64_t> integer_at(Number number, std::span<const std::byte> bytes, std::size_t i) {
  switch (number) {
    case Number::i8:
      return number_at<std::int8_t>(bytes, i);
    case Number::u8:
    case Number::boolean:
      return number_at<std::uint8_t>(bytes, i);
    case Number::i16:
      return number_at<std::int16_t>(bytes, i);
    case Number::u16:
      return number_at<std::uint16_t>(bytes, i);
    case Number::i32:
      return number_at<std::int32_t>(bytes, i);
    case Number::u32:
      return number_at<std::uint32_t>(bytes, i);
    case Number::u64: {
      const auto value = number_at<std::uint64_t>(bytes, i);
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
      return static_cast<std::int64_t>(value);
    }
    default:
      return number_at<std::int64_t>(bytes, i);
  }
}

}  // namespace

std::size_t size_of(Number number) {
  switch (number) {
    case Number::i8:
    case Number::u8:
    case Number::boolean:
      return 1;
    case Number::f16:
    case Number::bf16:
    case Number::i16:
    case Number::u16:
      return 2;
    case Number::f32:
    case Number::i32:
    case Number::u32:
      return 4;
    case Number::f64:
    case Number::i64:
    case Number::u64:
      return 8;
  }
  return 0;
}

const char* name_of(Number number) {
  switch (number) {
    case Number::f16:
      return "16-bit float";
    case Number::bf16:
      return "bfloat16";
    case Number::f32:
      return "32-bit float";
    case Number::f64:
      return "64-bit float";
    case Number::i8:
      return "8-bit integer";
    case Number::u8:
      return "unsigned 8-bit integer";
    case Number::i16:
      return "16-bit integer";
    case Number::u16:
      return "unsigned 16-bit integer";
    case Number::i32:
      return "32-bit integer";
    case Number::u32:
      return "unsigned 32-bit integer";
    case Number::i64:
      return "64-bit integer";
    case Number::u64:
      return "unsigned 64-bit integer";
    case Number::boolean:
      return "boolean";
  }
  return "?";
}

std::optional<std::uint64_t> count_of(std::span<const std::int64_t> extents) {
  std::int64_t count = 1;
  if (std::ranges::any_of(extents, [](std::int64_t extent) { return extent < 0; })) return std::nullopt;
  if (std::ranges::find(extents, 0) != extents.end()) return 0;
  for (const std::int64_t extent : extents) {
    if (__builtin_mul_overflow(count, extent, &count) || count >> 62 != 0) return std::nullopt;
  }
  return static_cast<std::uint64_t>(count);
}

float as_f32(double value, std::string_view name, std::size_t place, std::string_view file) {
  const auto rounded = static_cast<float>(value);
  if (std::isfinite(value) && !std::isfinite(rounded)) {
    fail(Error::Category::data, weights_tag,
         fmt::format("{} holds {} at {}, which is beyond what 32-bit floats hold (3.4e38)", name, value, place), file,
         "export the weights again, from a step before they went wrong");
  }
  return rounded;
}

void DescribedReader::damaged(std::string_view what) const {
  fail(Error::Category::data, weights_tag, what, place_, "the file is damaged, cut short or hostile: get or make it again");
}

void DescribedReader::describe(std::string name, std::optional<Number> number, std::string_view type,
                               std::vector<std::int64_t> extents) {
  if (name.size() > longest_name) damaged(fmt::format("a tensor's name has {} characters", name.size()));
  if (!count_of(extents)) damaged(fmt::format("{} has impossible extents", name));
  if (tensors_.size() >= most_names) damaged(fmt::format("there are more than {} tensors", most_names));
  const auto [place, is_new] = tensors_.emplace(
      name, Described{name, number, number ? std::string(name_of(*number)) : std::string(type), std::move(extents)});
  if (!is_new) damaged(fmt::format("there are two tensors {}", name));
}

void DescribedReader::select(const std::string& group) {
  std::string prefix = group;
  while (prefix.starts_with('/')) prefix.erase(0, 1);
  if (prefix.empty()) return;
  if (!prefix.ends_with('/')) prefix += '/';
  std::map<std::string, Described> below;
  for (auto& [name, tensor] : tensors_) {
    if (name.starts_with(prefix)) below.emplace(name.substr(prefix.size()), std::move(tensor));
  }
  if (below.empty()) {
    fail(Error::Category::data, weights_tag, fmt::format("there is no group {}", group), place_,
         "name one that is there with --group");
  }
  tensors_ = std::move(below);
  place_ += ":" + group;
}

std::vector<ListedTensor> DescribedReader::list() {
  std::vector<ListedTensor> all;
  for (const auto& [name, tensor] : tensors_) all.push_back({name, tensor.type, tensor.extents});
  return all;
}

std::optional<FoundTensor> DescribedReader::read(const AskedTensor& asked) {
  const auto found = tensors_.find(asked.name);
  if (found == tensors_.end()) return std::nullopt;
  const Described& tensor = found->second;
  FoundTensor result;
  const Shape& shape = asked.type.shape;
  const bool whole = asked.type.dtype == DType::s32;
  if (!tensor.number || !std::ranges::equal(tensor.extents, shape) || is_float(*tensor.number) == whole) {
    result.otherwise = ListedTensor{asked.name, tensor.type, tensor.extents}.str();
    return result;
  }
  const std::vector<std::byte> bytes = bytes_of(tensor.whole_name);
  const auto count = static_cast<std::size_t>(shape.count());
  if (bytes.size() != count * size_of(*tensor.number))
    damaged(fmt::format("{} has {} bytes, its {} numbers take {}", asked.name, bytes.size(), count,
                        count * size_of(*tensor.number)));
  result.values.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!whole) {
      result.values[i] = as_f32(float_at(*tensor.number, bytes, i), asked.name, i, place_);
      continue;
    }
    const auto value = integer_at(*tensor.number, bytes, i);
    if (!value || *value < std::numeric_limits<std::int32_t>::min() || *value > std::numeric_limits<std::int32_t>::max())
      damaged(fmt::format("{} holds a number beyond 32 bits", asked.name));
    result.values[i] = static_cast<float>(*value);
  }
  return result;
}

}  // namespace qfw
