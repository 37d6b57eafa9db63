#include "inspect/cost.h"

#include <algorithm>

namespace qfw {

namespace {

int counted(int bits) { return bits == 0 ? 16 : bits; }
int rounded_up(int bits) { return bits <= 4 ? 4 : bits <= 8 ? 8 : 16; }

}  // namespace

Cost& Cost::operator+=(const Cost& other) {
  compute += other.compute;
  compute_linear += other.compute_linear;
  memory += other.memory;
  return *this;
}

Cost cost_of(std::int64_t multiplications, std::int64_t weights, int weight_bits, int act_bits) {
  const int w = counted(weight_bits), a = counted(act_bits);
  const auto count = static_cast<double>(multiplications);
  return {count * w * a, count * rounded_up(std::max(w, a)), static_cast<double>(weights) * w};
}

}  // namespace qfw
