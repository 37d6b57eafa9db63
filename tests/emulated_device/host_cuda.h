#pragma once

// CUDA's device language for g++, as far as qfw's kernels use it. It stands before every text that the emulation compiles; the
// threads of a block are fibers of the emulation (host_code.h), so that barriers, shuffles and warp-wide instructions mean what
// they mean on a GPU.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
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

/// Writes the sizes of the parameters, at most 512 of them; returns how many there are.
template <class... Parameters>
int sizes(void (*)(Parameters...), unsigned long* to) {
  static_assert(sizeof...(Parameters) <= 512);
  ((*to++ = sizeof(Parameters)), ...);
  return sizeof...(Parameters);
}

/// What -fsanitize=alignment calls; a device would end with CUDA_ERROR_MISALIGNED_ADDRESS.
extern "C" __attribute__((used, visibility("hidden"))) void __ubsan_handle_type_mismatch_v1_abort(void*,
                                                                                                  unsigned long address) {
  now->misaligned(address);
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
/// To the nearest, halves to even, of what is in range.
inline int __float2int_rn(float x) { return static_cast<int>(__builtin_nearbyintf(x)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32); }

/// Blocks run one after the other, and their threads do not interrupt each other.
inline int atomicAdd(int* to, int value) {
  const unsigned sum = static_cast<unsigned>(*to) + static_cast<unsigned>(value);
  return std::exchange(*to, static_cast<int>(sum));
}

namespace emulated {
// What the PTX ISA says of each lane's fragments.

template <bool is_signed>
int byte_of(unsigned word, int index) {
  const unsigned byte = word >> 8 * index & 0xffu;
  return is_signed ? static_cast<signed char>(byte) : static_cast<int>(byte);
}

template <bool a_signed>
int dot4(unsigned a, unsigned b, int sum) {
  for (int i = 0; i < 4; ++i) sum += byte_of<a_signed>(a, i) * byte_of<true>(b, i);
  return sum;
}

inline void ldmatrix4(unsigned (&to)[4], const void* row) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) throw std::runtime_error("emulated device: ldmatrix is not aligned");
  const unsigned lane = now->lane;
  now->slots[lane][0] = reinterpret_cast<std::uintptr_t>(row);
  now->wait(Barrier::warp);
  for (unsigned m = 0; m < 4; ++m) {
    const auto* from = reinterpret_cast<const unsigned char*>(now->slots[m * 8 + lane / 4][0]);
    std::memcpy(&to[m], from + 4 * (lane % 4), 4);
  }
  now->wait(Barrier::warp);
}

/// Words k / 4 % 4 of rows (or columns) of 16 bytes each lie with lanes (row % 8) * 4 + k / 4 % 4; register row / 8 + 2 (k /
/// 16) of `a`, k / 16 of `b`. Sums (row, column) lie with lane (row % 8) * 4 + column / 2, register column % 2 + 2 (row / 8).
template <bool a_signed>
void mma_16x8x32(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  const int lane = static_cast<int>(now->lane);
  for (int i = 0; i < 4; ++i) now->slots[lane][i] = a[i];
  for (int i = 0; i < 2; ++i) now->slots[lane][4 + i] = b[i];
  now->wait(Barrier::warp);
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
    for (int k = 0; k < 32; k += 4) {
      const auto word_of_a = static_cast<unsigned>(now->slots[row % 8 * 4 + k / 4 % 4][row / 8 + 2 * (k / 16)]);
      const auto word_of_b = static_cast<unsigned>(now->slots[column * 4 + k / 4 % 4][4 + k / 16]);
      d[i] = dot4<a_signed>(word_of_a, word_of_b, d[i]);
    }
  }
  now->wait(Barrier::warp);
}

/// Row (of `b` column) lane / 4, bytes 4 (lane % 4) ...; sums (lane / 4, 2 (lane % 4)) and the next.
template <bool a_signed>
void mma_8x8x16(int& d0, int& d1, unsigned a, unsigned b) {
  const int lane = static_cast<int>(now->lane);
  now->slots[lane][0] = a;
  now->slots[lane][1] = b;
  now->wait(Barrier::warp);
  for (int i = 0; i < 2; ++i) {
    int& d = i == 0 ? d0 : d1;
    for (int t = 0; t < 4; ++t) {
      const auto word_of_a = static_cast<unsigned>(now->slots[lane / 4 * 4 + t][0]);
      const auto word_of_b = static_cast<unsigned>(now->slots[(lane % 4 * 2 + i) * 4 + t][1]);
      d = dot4<a_signed>(word_of_a, word_of_b, d);
    }
  }
  now->wait(Barrier::warp);
}
}  // namespace emulated
