#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "onnx.pb.h"

namespace qfw::onnx {

/// How a file holds weights' codes: as (code + zero) / step, in 2, 4 or 8 bits without a sign.
struct CodeStorage {
  pb::TensorProto::DataType type = pb::TensorProto::UINT8;
  int bits = 8, step = 1, zero = 128;
};

/// The smallest one of those allowed that holds all of them. Codes of half-integer grids are all odd: a step of 2 holds them.
CodeStorage storage_for(std::span<const std::int8_t> codes, bool two_bits, bool four_bits);

/// As raw_data has them: low bits first.
std::string stored(std::span<const std::int8_t> codes, const CodeStorage& storage);

}  // namespace qfw::onnx
