#pragma once

#include <cstdint>

#include "qfw/tensor.h"

/// Products of bf16 in pairs of rows, f32 sums: what one instruction of AVX512_BF16 multiplies and adds up.
namespace qfw::cpu {

inline constexpr std::int64_t pair_depth = 12, pair_channels = 32;  ///< of a tile, whose sums are in registers

bool has_bf16_pairs();  ///< on this processor; nothing else here may be called without

/// to[i] is first[i] beside second[i]; without a second one, beside 0.
void pair_up(const BFloat16* first, const BFloat16* second, std::int64_t count, std::uint32_t* to);

/// dst[k][o], k < depth, o < channels: the sum over pairs of a[pair * a_stride + k] * b[pair * pair_channels + o], both
/// elements of each, on top of what is there if `add`. At most pair_depth x pair_channels; b is padded with zeros.
void multiply_pairs(std::int64_t depth, const std::uint32_t* a, std::int64_t a_stride, const std::uint32_t* b,
                    std::int64_t pairs, float* dst, std::int64_t stride, std::int64_t channels, bool add);

}  // namespace qfw::cpu
