#pragma once

#include <cstddef>

#include "matmul/geometry.h"

/// 3x3 convolutions of f32 images with stride 1 as F(4x4, 3x3) (Winograd; Lavin and Gray, arXiv 1509.09308): tiles of 4x4
/// pixels of dst from 6x6 of src, each channel by 36 multiplications in place of 144. Interpolated at 0, ±3/4, ±3/2 and
/// infinity: the error is about twice that of the direct sum, where the usual ±1, ±2 have four times (docs/numerics.md).
namespace qfw::cpu {

inline constexpr std::int64_t winograd_tile = 4;        ///< pixels of dst in a row and a column
inline constexpr std::int64_t winograd_positions = 36;  ///< products of matrices

/// Channels are multiples of this, so that the same layers are taken with every instruction set.
inline constexpr std::int64_t winograd_channels = 16;

/// What there is to share out to threads. Weights are kept as matrices [position][panel of channels of dst][channel of
/// src][width].
struct WinogradExtents {
  std::int64_t tiles = 0;   ///< of all images
  std::int64_t panels = 0;  ///< of channels of dst; the last may be padded
  std::size_t weights_bytes = 0;
};
WinogradExtents winograd_extents(const Geometry& g);

/// Channels [c, c_end) of src of the weights, from HWIO memory. `transposed`: what is in memory are the weights of the
/// convolution that `g` is the gradient of, [3][3][g.o][g.c], and each is turned round.
void winograd_weights(const Geometry& g, bool transposed, const float* weights, std::int64_t c, std::int64_t c_end, float* to);

/// One thread's turn: some tiles, some panels of channels of dst.
struct WinogradPart {
  std::int64_t tile = 0, tile_end = 0, panel = 0, panel_end = 0;
  std::byte* buffer = nullptr;  ///< winograd_buffer_bytes() of the thread's own
};
std::size_t winograd_buffer_bytes(const Geometry& g, std::int64_t tiles, std::int64_t panels);
/// NHWC images; `weights` as winograd_weights wrote them. A pixel's bits depend on no other image and not on the parts.
void winograd_convolve(const Geometry& g, const float* src, const float* weights, const WinogradPart& part, float* dst);

const char* winograd_target();  ///< instruction set, for people

}  // namespace qfw::cpu
