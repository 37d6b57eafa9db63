#include "packed_codes.h"

#include <algorithm>

namespace qfw::onnx {

CodeStorage storage_for(std::span<const std::int8_t> codes, bool two_bits, bool four_bits) {
  if (codes.empty()) return {};
  const auto [low, high] = std::ranges::minmax(codes);
  const bool odd = std::ranges::all_of(codes, [](std::int8_t code) { return code % 2 != 0; });
  for (const int bits : {2, 4}) {
    if (bits == 2 ? !two_bits : !four_bits) continue;
    const int levels = 1 << bits;
    for (const int step : {1, 2}) {
      const int zero = step == 1 ? levels / 2 : levels - 1;
      if ((step == 2 && !odd) || low + zero < 0 || (high + zero) / step >= levels) continue;
      return {bits == 2 ? pb::TensorProto::UINT2 : pb::TensorProto::UINT4, bits, step, zero};
    }
  }
  return {};
}

std::string stored(std::span<const std::int8_t> codes, const CodeStorage& storage) {
  const std::size_t in_a_byte = 8 / static_cast<std::size_t>(storage.bits);
  std::string bytes((codes.size() + in_a_byte - 1) / in_a_byte, '\0');
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const int value = (codes[i] + storage.zero) / storage.step;
    const int place = static_cast<int>(i % in_a_byte) * storage.bits;
    bytes[i / in_a_byte] = static_cast<char>(bytes[i / in_a_byte] | (value << place));
  }
  return bytes;
}

}  // namespace qfw::onnx
