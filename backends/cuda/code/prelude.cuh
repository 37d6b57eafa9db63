#pragma once

// What all device code shares, in the part of CUDA C++ that NVRTC and g++ have in common. Every op rounds once: it is to be
// compiled with --fmad=false --ftz=true --prec-div=true --prec-sqrt=true, or for the host with -ffp-contract=off, where
// subnormals are flushed by the control register.
namespace qfw::device {

using u8 = unsigned char;
using s8 = signed char;
using s32 = int;
using i64 = long long;
/// A bfloat16 by its bits.
struct bf16 {
  unsigned short bits;
};

/// Extents and strides of a launch, by value.
template <int n>
struct Extents {
  i64 v[n];
};

/// Of the threads of a grid in one dimension, which an int numbers.
__device__ __forceinline__ int thread_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

/// Elements that are moved as one word.
template <class T, int n>
struct alignas(sizeof(T) * n) Pack {
  T v[n];
};

__device__ __forceinline__ unsigned rounded_bits(float x) {
  const unsigned bits = __float_as_uint(x);
  return x != x ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1u);
}
/// The nearest bf16, halves to even, as a float. A subnormal one stays.
__device__ __forceinline__ float as_bf16(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return __uint_as_float(static_cast<unsigned>(bits) << 16);
#else
  return __uint_as_float(rounded_bits(x) & 0xffff0000u);
#endif
}

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
__device__ __forceinline__ s32 widen(s32 x) { return x; }
__device__ __forceinline__ s32 widen(s8 x) { return x; }
__device__ __forceinline__ s32 widen(u8 x) { return x; }

}  // namespace qfw::device

using namespace qfw::device;
