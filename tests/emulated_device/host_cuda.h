#pragma once

// CUDA's device language for g++, as far as qfw's kernels use it. It stands before every text that the emulation compiles; the
// threads of a block are fibers of the emulation (host_code.h), so that barriers, shuffles and warp-wide instructions mean what
// they mean on a GPU.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "host_thread.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __shared__ static thread_local  // blocks run one after the other
#define __align__(n) __attribute__((aligned(n)))

namespace emulated {
inline thread_local HostThread* now;
extern "C" void emulated_bind(HostThread* thread) { now = thread; }

/// Calls a kernel with what cuLaunchKernel takes: pointers to its arguments.
template <class... Parameters>
void call(void (*kernel)(Parameters...), void** arguments) {
  [&]<std::size_t... i>(std::index_sequence<i...>) { kernel(*static_cast<std::remove_const_t<Parameters>*>(arguments[i])...); }
  (std::index_sequence_for<Parameters...>());
}

/// Writes the sizes of the parameters, at most 64 of them; returns how many there are.
template <class... Parameters>
int sizes(void (*)(Parameters...), unsigned long* to) {
  static_assert(sizeof...(Parameters) <= 64);
  ((*to++ = sizeof(Parameters)), ...);
  return sizeof...(Parameters);
}
}  // namespace emulated

#define threadIdx (emulated::now->thread)
#define blockIdx (emulated::now->block)
#define blockDim (emulated::now->block_extent)
#define gridDim (emulated::now->grid_extent)

inline void __syncthreads() { emulated::now->wait(emulated::Barrier::block); }
inline void __syncwarp(unsigned = ~0u) { emulated::now->wait(emulated::Barrier::warp); }

namespace emulated {
/// Each lane gives a value and gets that of another.
template <class T>
T exchange(T value, unsigned from) {
  unsigned long long word = 0;
  static_assert(sizeof value <= sizeof word);
  std::memcpy(&word, &value, sizeof value);
  now->slots[now->lane][0] = word;
  now->wait(Barrier::warp);
  word = now->slots[from][0];
  now->wait(Barrier::warp);
  std::memcpy(&value, &word, sizeof value);
  return value;
}
}  // namespace emulated

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return emulated::exchange(value, emulated::now->lane ^ static_cast<unsigned>(mask));
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned delta) {
  const unsigned lane = emulated::now->lane;
  return emulated::exchange(value, lane + delta < 32 ? lane + delta : lane);
}

inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
/// Towards zero; NaN is 0, what is beyond the range its end.
inline int __float2int_rz(float x) {
  return x != x ? 0 : x >= 2147483648.0f ? 2147483647 : x <= -2147483648.0f ? -2147483647 - 1 : static_cast<int>(x);
}
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32); }
