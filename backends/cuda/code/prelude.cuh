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

/// A binary16 number by its bits.
struct f16 {
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

/// The nearest f16, halves to even: its bits. Subnormal ones are made.
__device__ __forceinline__ unsigned short f16_bits(float x) {
#if defined(__CUDA_ARCH__)
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#else
  const unsigned word = __float_as_uint(x), sign = word >> 16 & 0x8000u, magnitude = word & 0x7fffffffu;
  unsigned rounded = 0;
  if (magnitude > 0x7f800000u) {
    rounded = 0x7fffu;
  } else if (magnitude >= 0x477ff000u) {
    rounded = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {
    rounded = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13;
  } else {  // a multiple of 2^-24
    rounded = static_cast<unsigned>(__float2int_rn(__uint_as_float(magnitude) * 16777216.0f));
  }
  return static_cast<unsigned short>(sign | rounded);
#endif
}
__device__ __forceinline__ float f16_value(unsigned short bits) {
#if defined(__CUDA_ARCH__)
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
#else
  const unsigned sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7fffu;
  if (magnitude < 0x400u) {
    return __uint_as_float(sign | __float_as_uint(static_cast<float>(static_cast<int>(magnitude)) / 16777216.0f));
  }
  return __uint_as_float(sign | ((magnitude << 13) + (magnitude < 0x7c00u ? 0x38000000u : 0x70000000u)));
#endif
}
/// The nearest f16 as a float.
__device__ __forceinline__ float as_f16(float x) { return f16_value(f16_bits(x)); }

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(f16 x) { return f16_value(x.bits); }
__device__ __forceinline__ float widen(bf16 x) { return __uint_as_float(static_cast<unsigned>(x.bits) << 16); }
__device__ __forceinline__ s32 widen(s32 x) { return x; }
__device__ __forceinline__ s32 widen(s8 x) { return x; }
__device__ __forceinline__ s32 widen(u8 x) { return x; }

}  // namespace qfw::device

using namespace qfw::device;
