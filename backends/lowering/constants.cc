#include "qfw/lowering/constants.h"

#include <cstring>

namespace qfw::lowering {

void fill_constant(const TensorType& type, double value, std::byte* to) {
  const auto all = [&](auto number) {
    for (std::int64_t i = 0; i < type.shape.count(); ++i, to += sizeof number) std::memcpy(to, &number, sizeof number);
  };
  switch (type.dtype) {
    case DType::f32:
      return all(static_cast<float>(value));
    case DType::bf16:
      return all(BFloat16(static_cast<float>(value)));
    case DType::f16:
      return all(Float16(static_cast<float>(value)));
    case DType::s32:
      return all(static_cast<std::int32_t>(value));
    case DType::s8:
      return all(static_cast<std::int8_t>(value));
    case DType::u8:
      return all(static_cast<std::uint8_t>(value));
  }
}

}  // namespace qfw::lowering
