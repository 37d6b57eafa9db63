#include "matmul/integer_codes.h"

#include <algorithm>
#include <cmath>

#include "qfw/bounds.h"

namespace qfw::cpu {

IntegerCodes::IntegerCodes(const Graph& graph, Use use) : is_signed(graph.type(use).dtype == DType::s8) {
  const Bounds codes = ValueBounds(graph).of(use);
  offset = is_signed ? static_cast<int>(std::max(0.0, -std::floor(codes.low))) : 0;
  greatest = static_cast<int>(std::ceil(codes.high)) + offset;
}

std::int64_t IntegerCodes::steps(int greatest_weight) const {
  return 32767 / std::max(2 * greatest * std::max(greatest_weight, 1), 1);
}

}  // namespace qfw::cpu
