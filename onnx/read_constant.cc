#include "read_constant.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "read_refuse.h"

namespace qfw::onnx {

namespace {

using pb::TensorProto;

/// Of an element; 0: a type that qfw does not write.
int bits_of(int type) {
  switch (type) {
    case TensorProto::FLOAT:
    case TensorProto::INT32:
      return 32;
    case TensorProto::INT64:
      return 64;
    case TensorProto::UINT8:
    case TensorProto::INT8:
      return 8;
    case TensorProto::UINT4:
    case TensorProto::INT4:
      return 4;
    case TensorProto::UINT2:
    case TensorProto::INT2:
      return 2;
    default:
      return 0;
  }
}

bool is_signed(int type) { return type == TensorProto::INT8 || type == TensorProto::INT4 || type == TensorProto::INT2; }

template <class T>
std::vector<T> elements(const std::vector<std::byte>& bytes) {
  std::vector<T> result(bytes.size() / sizeof(T));
  if (!result.empty()) std::memcpy(result.data(), bytes.data(), result.size() * sizeof(T));
  return result;
}

/// Low bits first.
std::vector<std::byte> unpacked(const std::string& packed, std::int64_t count, int bits, bool with_sign) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(count));
  const unsigned mask = (1U << bits) - 1, sign = 1U << (bits - 1);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t bit = i * static_cast<std::size_t>(bits);
    unsigned code = static_cast<unsigned char>(packed[bit / 8]) >> (bit % 8) & mask;
    if (with_sign && (code & sign) != 0) code |= ~mask;
    bytes[i] = static_cast<std::byte>(code & 0xff);
  }
  return bytes;
}

[[noreturn]] void wrong_type(const Constant& constant, const char* expected) {
  refuse(
      fmt::format("the constant {} has elements of type {}, {} are expected", quoted(constant.name), constant.type, expected));
}

}  // namespace

std::int64_t Constant::count() const {
  std::int64_t count = 1;
  for (const std::int64_t extent : dims) count *= extent;
  return count;
}

std::vector<float> Constant::floats() const {
  if (type != TensorProto::FLOAT) wrong_type(*this, "floats");
  return elements<float>(bytes);
}

std::vector<std::int64_t> Constant::integers() const {
  if (type == TensorProto::INT64) return elements<std::int64_t>(bytes);
  if (type != TensorProto::INT32) wrong_type(*this, "whole numbers");
  const auto narrow = elements<std::int32_t>(bytes);
  return {narrow.begin(), narrow.end()};
}

std::vector<int> Constant::codes() const {
  if (bits_of(type) == 0 || bits_of(type) > 8) wrong_type(*this, "codes");
  std::vector<int> result;
  result.reserve(bytes.size());
  for (const std::byte byte : bytes) {
    result.push_back(is_signed(type) ? static_cast<std::int8_t>(byte) : static_cast<int>(static_cast<std::uint8_t>(byte)));
  }
  return result;
}

Constant constant_of(const pb::TensorProto& tensor) {
  const std::string where = "initializer " + quoted(tensor.name());
  if (tensor.data_location() != 0) refuse("its elements lie in another file", where);
  const int bits = bits_of(tensor.data_type());
  if (bits == 0) refuse(fmt::format("elements of type {}, which qfw does not write", tensor.data_type()), where);
  if (tensor.dims_size() > 6) refuse(fmt::format("{} dimensions", tensor.dims_size()), where);
  Constant constant{.name = tensor.name(),
                    .value = tensor.name(),
                    .type = tensor.data_type(),
                    .dims = {tensor.dims().begin(), tensor.dims().end()}};
  const std::string& raw = tensor.raw_data();
  const auto most = static_cast<std::int64_t>(raw.size()) * 8 / bits;  // elements that there can be
  std::int64_t count = 1;
  for (const std::int64_t extent : constant.dims) {
    if (extent < 1 || extent > most / count) {
      refuse(fmt::format("dimensions [{}] and {} bytes do not go together", fmt::join(constant.dims, ", "), raw.size()), where);
    }
    count *= extent;
  }
  if (static_cast<std::int64_t>(raw.size()) != (count * bits + 7) / 8) {
    refuse(fmt::format("{} elements of {} bits in {} bytes", count, bits, raw.size()), where);
  }
  if (bits < 8) {
    constant.bytes = unpacked(raw, count, bits, is_signed(constant.type));
  } else {
    constant.bytes.resize(raw.size());
    if (!raw.empty()) std::memcpy(constant.bytes.data(), raw.data(), raw.size());
  }
  if (constant.type == TensorProto::FLOAT) {
    for (const float value : constant.floats()) {
      if (!std::isfinite(value)) refuse(fmt::format("an element is {}", value), where, "the file is damaged");
    }
  }
  return constant;
}

}  // namespace qfw::onnx
