#include "conformance/data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "qfw/random.h"

namespace qfw::conformance {

namespace {

constexpr auto guard_byte = std::byte{0xa5};

double draw(RandomStream& stream, const TensorType& type, Fill fill) {
  constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const auto between = [&](double low, double high) {
    return low + static_cast<double>(stream.below(static_cast<std::uint64_t>(high - low) + 1));
  };
  switch (fill) {
    case Fill::normal:
      return stream.normal();
    case Fill::small:
      return 0.1 * stream.normal();
    case Fill::positive:
      return 0.1 + std::abs(stream.normal());
    case Fill::ties:
      return 0.5 * between(-3, 3);
    case Fill::codes: {
      switch (type.dtype) {
        case DType::u8:
          return between(0, 255);
        case DType::s8:
          return between(-128, 127);
        case DType::s32:
          return between(-1e6, 1e6);
        default:
          return between(-127, 127);
      }
    }
    case Fill::unsigned_codes:
      return between(0, 255);
    case Fill::mask:
      return between(0, 1);
    case Fill::targets:
      return stream.uniform() + 0.01;
    case Fill::special: {
      static constexpr std::array values = {infinity, -infinity, nan, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5};
      const auto choice = stream.below(2 * values.size());
      return choice < values.size() ? values[choice] : stream.normal();
    }
    case Fill::subnormal:
      return stream.normal() * (stream.below(2) == 0 ? 1e-39 : 1);
  }
  return 0;
}

}  // namespace

Tensor::Tensor(const TensorType& type) : type_(type), memory_(type.bytes() + 2 * guard, guard_byte) {}

bool Tensor::guards_are_intact() const {
  const auto intact = [](std::byte byte) { return byte == guard_byte; };
  return std::all_of(memory_.begin(), memory_.begin() + guard, intact) &&
         std::all_of(memory_.end() - guard, memory_.end(), intact);
}

double Tensor::operator[](std::int64_t index) const {
  switch (type_.dtype) {
    case DType::f32:
      return view().as<float>()[index];
    case DType::bf16:
      return static_cast<float>(view().as<BFloat16>()[index]);
    case DType::f16:
      return static_cast<float>(view().as<Float16>()[index]);
    case DType::s32:
      return view().as<std::int32_t>()[index];
    case DType::s8:
      return view().as<std::int8_t>()[index];
    case DType::u8:
      return view().as<std::uint8_t>()[index];
  }
  return 0;
}

void Tensor::set(std::int64_t index, double value) {
  switch (type_.dtype) {
    case DType::f32:
      host().as<float>()[index] = static_cast<float>(value);
      break;
    case DType::bf16:
      host().as<BFloat16>()[index] = BFloat16(static_cast<float>(value));
      break;
    case DType::f16:
      host().as<Float16>()[index] = Float16(static_cast<float>(value));
      break;
    case DType::s32:
      host().as<std::int32_t>()[index] = static_cast<std::int32_t>(value);
      break;
    case DType::s8:
      host().as<std::int8_t>()[index] = static_cast<std::int8_t>(value);
      break;
    case DType::u8:
      host().as<std::uint8_t>()[index] = static_cast<std::uint8_t>(value);
      break;
  }
}

Tensor data_for(const TensorType& type, Fill fill, std::string_view description) {
  RandomStream stream(20240601, hash_of(description));
  Tensor tensor(type);
  const std::int64_t count = type.shape.count();
  for (std::int64_t i = 0; i < count; ++i) tensor.set(i, draw(stream, type, fill));
  if (fill == Fill::targets) {
    const std::int64_t row = type.shape.channels();
    for (std::int64_t first = 0; first < count; first += row) {
      double total = 0;
      for (std::int64_t i = first; i < first + row; ++i) total += tensor[i];
      for (std::int64_t i = first; i < first + row; ++i) tensor.set(i, tensor[i] / total);
    }
  }
  return tensor;
}

}  // namespace qfw::conformance
