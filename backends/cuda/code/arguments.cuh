#pragma once

// What kernels are given by value: one definition for device code and for the host, which includes it.
namespace qfw::device {

/// A product of images and weights: each row of it, a position (y, x) of a grid over an image, adds up what its taps read, the
/// pixels (y, x) * step - low + tap, those outside of the image being 0. A convolution is one; the gradient of its images is
/// one for each remainder of pixels modulo the stride.
struct Correlation {
  int height, width, channels;        ///< of an image that is read; channels of all groups
  int rows, grid_height, grid_width;  ///< rows = images * grid_height * grid_width
  int step[2], low[2], taps[2];
  int groups, group_in, group_out;
  int depth;  ///< bytes of one column's weights, a multiple of 16 (convolution.cuh: PackedWeights)
  /// The pixel of the result that a row of the grid stands for: first + every * (y, x).
  int dst_height, dst_width, first[2], every[2];
};

/// How weights are packed: that of tap (i, j), channel c of the group and column o is at
/// first + i * tap[0] + j * tap[1] + c * in + o * out + group * of_group in HWIO.
struct Packing {
  int columns, group_out;  ///< of all groups; of one
  int taps[2];
  int group_in, padded;  ///< channels of a group; as packed, zeros behind
  int depth;             ///< Correlation::depth
  long long first, tap[2], in, out, of_group;
};

/// Of max_pool and its gradient.
struct Pooling {
  int height, width, channels;  ///< of an image
  int dst_height, dst_width;
  int window[2], stride[2], low[2];
};

/// A view of dense memory: element (i0, i1, ...) of extents `extent` is at the sum of i * stride. Innermost last.
struct Strided {
  int rank;
  int extent[6];
  long long stride[6];
};

/// A block of a launch that computes several groups (code/fused.cuh: Spot): which of them, and which of its blocks.
struct MemberBlock {
  unsigned member, block;
};

/// What random numbers depend on besides their place, in device memory, so that work that was recorded sees the next step.
struct RandomState {
  unsigned long long seed;
  long long step;
};

}  // namespace qfw::device
