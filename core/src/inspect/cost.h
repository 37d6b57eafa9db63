#pragma once

#include <cstdint>

namespace qfw {

/// Cost of multiplications and weights as "Pareto-Optimal Quantized ResNet Is Mostly 4-bit" (arXiv 2105.03536) counts it. An
/// operand that is not quantized counts as one of 16 bits.
struct Cost {
  double compute = 0;         ///< multiplications x weight bits x activation bits
  double compute_linear = 0;  ///< multiplications x the larger of the two, rounded up to 4, 8 or 16
  double memory = 0;          ///< bits of the weights

  Cost& operator+=(const Cost& other);
};

/// Of one matmul; bits 0: a float.
Cost cost_of(std::int64_t multiplications, std::int64_t weights, int weight_bits, int act_bits);

}  // namespace qfw
