#pragma once

// max_pool and its gradient, as core/src/ops/pooling.h has them: padding never wins, a NaN is the largest, of equal elements
// the first one in row-major order is the maximum. The gradient is gathered: first each window's maximum as a tap, then each
// pixel adds up, in double and in the order of windows, those that it is the maximum of.
namespace qfw::device {

/// The pixels of a window that lie in the image.
struct PoolWindow {
  int top, left, first_i, last_i, first_j, last_j;  ///< taps [first, last)

  __device__ __forceinline__ PoolWindow(const Pooling& p, int y, int x) {
    top = y * p.stride[0] - p.low[0];
    left = x * p.stride[1] - p.low[1];
    first_i = top < 0 ? -top : 0;
    first_j = left < 0 ? -left : 0;
    last_i = p.height - top < p.window[0] ? p.height - top : p.window[0];
    last_j = p.width - left < p.window[1] ? p.width - left : p.window[1];
  }
};

/// Whether `next`, which comes after `best`, takes its place.
__device__ __forceinline__ bool takes_place(float next, float best) { return next > best || (next != next && best == best); }

/// n neighbouring channels of an output, one of `packs`, by a thread: f(index, maxima, taps).
template <class T, int n, class F>
__device__ __forceinline__ void for_maxima(const T* __restrict__ x, const Pooling& p, int packs, F f) {
  const int index = thread_index();
  if (index >= packs) return;
  const int channel = index % (p.channels / n) * n, pixel = index / (p.channels / n);
  const int column = pixel % p.dst_width, row = pixel / p.dst_width % p.dst_height, number = pixel / p.dst_width / p.dst_height;
  const T* const image = x + static_cast<i64>(number) * p.height * p.width * p.channels + channel;
  const PoolWindow window(p, row, column);
  Pack<T, n> best;
  int taps[n];
  bool first = true;
  for (int i = window.first_i; i < window.last_i; ++i) {
    for (int j = window.first_j; j < window.last_j; ++j) {
      const i64 at = (static_cast<i64>(window.top + i) * p.width + window.left + j) * p.channels;
      const auto next = *reinterpret_cast<const Pack<T, n>*>(image + at);
#pragma unroll
      for (int c = 0; c < n; ++c) {
        if (!first && !takes_place(widen(next.v[c]), widen(best.v[c]))) continue;
        best.v[c] = next.v[c];
        taps[c] = i * p.window[1] + j;
      }
      first = false;
    }
  }
  f(index, best, taps);
}

template <class T, int n>
__device__ __forceinline__ void max_pool(const T* __restrict__ x, T* __restrict__ to, const Pooling& p, int packs) {
  for_maxima<T, n>(x, p, packs, [&](int index, const Pack<T, n>& best, const int(&)[n]) {
    reinterpret_cast<Pack<T, n>*>(to)[index] = best;
  });
}

/// `Index` is an unsigned type that holds all taps.
template <class T, class Index, int n>
__device__ __forceinline__ void max_pool_taps(const T* __restrict__ x, Index* __restrict__ to, const Pooling& p, int packs) {
  for_maxima<T, n>(x, p, packs, [&](int index, const Pack<T, n>&, const int(&taps)[n]) {
    Pack<Index, n> pack;
#pragma unroll
    for (int c = 0; c < n; ++c) pack.v[c] = static_cast<Index>(taps[c]);
    reinterpret_cast<Pack<Index, n>*>(to)[index] = pack;
  });
}

__device__ __forceinline__ void round_to(double x, float& to) { to = static_cast<float>(x); }
__device__ __forceinline__ void round_to(double x, bf16& to) {
  to.bits = static_cast<unsigned short>(rounded_bits(static_cast<float>(x)) >> 16);
}
__device__ __forceinline__ void round_to(double x, f16& to) { to.bits = f16_bits(static_cast<float>(x)); }

/// n neighbouring channels of a pixel, one of `packs`, by a thread.
template <class T, class Index, int n>
__device__ __forceinline__ void max_pool_grad(const Index* __restrict__ taps, const T* __restrict__ gradients,
                                              T* __restrict__ to, const Pooling& p, int packs) {
  const int index = thread_index();
  if (index >= packs) return;
  const int channel = index % (p.channels / n) * n, pixel = index / (p.channels / n);
  const int x = pixel % p.width, y = pixel / p.width % p.height, number = pixel / p.width / p.height;
  const i64 image = static_cast<i64>(number) * p.dst_height * p.dst_width;
  // Windows from (y - window) / stride + 1, rounded down, to y / stride, of the padded image.
  const int down = y + p.low[0], across = x + p.low[1];
  const int first_row = down < p.window[0] ? 0 : (down - p.window[0]) / p.stride[0] + 1;
  const int first_column = across < p.window[1] ? 0 : (across - p.window[1]) / p.stride[1] + 1;
  const int last_row = down / p.stride[0] < p.dst_height ? down / p.stride[0] : p.dst_height - 1;
  const int last_column = across / p.stride[1] < p.dst_width ? across / p.stride[1] : p.dst_width - 1;
  double sums[n] = {};
  for (int row = first_row; row <= last_row; ++row) {
    for (int column = first_column; column <= last_column; ++column) {
      const int own = (down - row * p.stride[0]) * p.window[1] + across - column * p.stride[1];
      const i64 at = (image + static_cast<i64>(row) * p.dst_width + column) * p.channels + channel;
      const auto tap = *reinterpret_cast<const Pack<Index, n>*>(taps + at);
      const auto gradient = *reinterpret_cast<const Pack<T, n>*>(gradients + at);
#pragma unroll
      for (int c = 0; c < n; ++c) {
        if (static_cast<int>(tap.v[c]) == own) sums[c] += static_cast<double>(widen(gradient.v[c]));
      }
    }
  }
  Pack<T, n> pack;
#pragma unroll
  for (int c = 0; c < n; ++c) round_to(sums[c], pack.v[c]);
  reinterpret_cast<Pack<T, n>*>(to)[index] = pack;
}

}  // namespace qfw::device
