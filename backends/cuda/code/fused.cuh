#pragma once

// What fused groups are written in (emit.h): elements in memory and as they are computed with, the elementwise ops, and what
// several threads reduce to one result.
namespace qfw::device {

// ---- where a thread works ---------------------------------------------------------------------------------------------

/// A thread of a block, and the block, as the text of a group sees them.
struct Spot {
  unsigned x, y, width, height;  ///< of the thread; of the block
  unsigned block;
};
/// Of a launch that computes one group.
__device__ __forceinline__ Spot own_spot() { return {threadIdx.x, threadIdx.y, blockDim.x, blockDim.y, blockIdx.x}; }
/// Of one that computes several, in blocks of one dimension, whose threads are as many as the widest member asks for: those that
/// a member does not have lie below its block (y >= height). `extent` is that of the member's block, y in the upper half.
__device__ __forceinline__ Spot member_spot(i64 extent, unsigned block) {
  const unsigned width = static_cast<unsigned>(extent), height = static_cast<unsigned>(extent >> 32);
  return {threadIdx.x % width, threadIdx.x / width, width, height, block};
}
/// An address as tables have it. The hint makes most accesses those of global memory, as through parameters; a conversion that
/// would do it for all (__cvta_global_to_generic) keeps NVRTC 13.0 from ending with some kernels.
template <class T>
__device__ __forceinline__ T* pointer_of(i64 word) {
  T* const pointer = reinterpret_cast<T*>(word);
#if defined(__CUDA_ARCH__)
  __builtin_assume(__isGlobal(pointer));
#endif
  return pointer;
}

// ---- elements: integers of 8 bits are computed with as floats ----------------------------------------------------------

__device__ __forceinline__ float value_of(float x) { return x; }
__device__ __forceinline__ float value_of(bf16 x) { return widen(x); }
__device__ __forceinline__ float value_of(f16 x) { return widen(x); }
__device__ __forceinline__ float value_of(s8 x) { return static_cast<float>(widen(x)); }
__device__ __forceinline__ float value_of(u8 x) { return static_cast<float>(widen(x)); }
__device__ __forceinline__ s32 value_of(s32 x) { return x; }

/// A float or whole number by the lower half of an extent.
__device__ __forceinline__ float number(i64 bits) { return __uint_as_float(static_cast<unsigned>(bits)); }

__device__ __forceinline__ s32 between(s32 x, s32 low, s32 high) { return x < low ? low : x > high ? high : x; }

// Of values of the type they are put into. What is no code becomes one: the contract of casts forbids it.
__device__ __forceinline__ void put(float& to, float x) { to = x; }
__device__ __forceinline__ void put(s32& to, s32 x) { to = x; }
__device__ __forceinline__ void put(bf16& to, float x) { to.bits = static_cast<unsigned short>(__float_as_uint(x) >> 16); }
__device__ __forceinline__ void put(f16& to, float x) { to.bits = f16_bits(x); }
__device__ __forceinline__ void put(s8& to, float x) { to = static_cast<s8>(between(__float2int_rz(x), -128, 127)); }
__device__ __forceinline__ void put(u8& to, float x) { to = static_cast<u8>(between(__float2int_rz(x), 0, 255)); }

/// n elements, aligned to as many.
template <int n, class T>
__device__ __forceinline__ Pack<T, n> pack_at(const T* from) {
  return *reinterpret_cast<const Pack<T, n>*>(from);
}
template <class T, int n>
__device__ __forceinline__ void put_at(T* to, const Pack<T, n>& pack) {
  *reinterpret_cast<Pack<T, n>*>(to) = pack;
}
/// n elements that lie apart or are not aligned.
template <int n, class T, class Index>
__device__ __forceinline__ Pack<T, n> gathered(const T* from, Index stride) {
  Pack<T, n> pack;
#pragma unroll
  for (int e = 0; e < n; ++e) pack.v[e] = from[e * stride];
  return pack;
}

/// n / extent for n below 2^31: `divisor` has a multiplier in its lower half and a shift in its upper one (layout.h).
__device__ __forceinline__ unsigned quotient(unsigned n, i64 divisor) {
  return (__umulhi(n, static_cast<unsigned>(divisor)) + n) >> static_cast<unsigned>(divisor >> 32);
}
/// Of wide indices the divisor is the extent itself.
__device__ __forceinline__ i64 quotient(i64 n, i64 divisor) { return n / divisor; }

// ---- ops: contracts in qfw/ops.h ---------------------------------------------------------------------------------------
namespace op {

__device__ __forceinline__ float add(float a, float b) { return a + b; }
__device__ __forceinline__ float subtract(float a, float b) { return a - b; }
__device__ __forceinline__ float multiply(float a, float b) { return a * b; }
__device__ __forceinline__ float divide(float a, float b) { return a / b; }
__device__ __forceinline__ float minimum(float a, float b) { return a < b || a != a ? a : b; }
__device__ __forceinline__ float maximum(float a, float b) { return a > b || a != a ? a : b; }
// By their bits: the instructions for it would flush subnormal operands, and a compiler that sees what the bits mean takes them.
#ifdef __CUDA_ARCH__
__device__ __forceinline__ float negate(float a) {
  unsigned bits = __float_as_uint(a);
  asm("xor.b32 %0, %0, 0x80000000;" : "+r"(bits));
  return __uint_as_float(bits);
}
__device__ __forceinline__ float abs(float a) {
  unsigned bits = __float_as_uint(a);
  asm("and.b32 %0, %0, 0x7fffffff;" : "+r"(bits));
  return __uint_as_float(bits);
}
#else
__device__ __forceinline__ float negate(float a) { return __uint_as_float(__float_as_uint(a) ^ 0x80000000u); }
__device__ __forceinline__ float abs(float a) { return __uint_as_float(__float_as_uint(a) & 0x7fffffffu); }
#endif
__device__ __forceinline__ float relu(float a) { return a <= 0.0f ? 0.0f : a; }
__device__ __forceinline__ float exp(float a) { return elementary::exp(a); }
__device__ __forceinline__ float log(float a) { return elementary::log(a); }
__device__ __forceinline__ float sqrt(float a) { return sqrtf(a); }
__device__ __forceinline__ float tanh(float a) { return elementary::tanh(a); }
__device__ __forceinline__ float floor(float a) { return floorf(a); }
__device__ __forceinline__ float round_even(float a) { return rintf(a); }
__device__ __forceinline__ bool finite(float a) { return (__float_as_uint(a) << 1) < 0xff000000u; }
__device__ __forceinline__ float is_finite(float a) { return finite(a) ? 1.0f : 0.0f; }
__device__ __forceinline__ float less(float a, float b) { return a < b ? 1.0f : 0.0f; }
__device__ __forceinline__ float less_equal(float a, float b) { return a <= b ? 1.0f : 0.0f; }
__device__ __forceinline__ float equal(float a, float b) { return a == b ? 1.0f : 0.0f; }
__device__ __forceinline__ float select(float condition, float a, float b) { return condition == 0.0f ? b : a; }
__device__ __forceinline__ float to_float(s32 a) { return static_cast<float>(a); }
__device__ __forceinline__ s32 to_whole(float a) { return __float2int_rz(a); }

}  // namespace op

// ---- reductions --------------------------------------------------------------------------------------------------------

struct Sum {
  double value;
};
struct Max {
  double value;
};
struct Min {
  double value;
};
/// Of some elements: how many, their mean, and the sum of their squared distances from it.
struct Moments {
  double count, mean, squares;
};

constexpr float infinity = __builtin_bit_cast(float, 0x7f800000u);

template <class T>
__device__ __forceinline__ T larger(T x, T so_far) {
  return x != x || x > so_far ? x : so_far;
}
template <class T>
__device__ __forceinline__ T smaller(T x, T so_far) {
  return x != x || x < so_far ? x : so_far;
}

__device__ __forceinline__ Sum joined(Sum a, Sum b) { return {a.value + b.value}; }
__device__ __forceinline__ Max joined(Max a, Max b) { return {larger(b.value, a.value)}; }
__device__ __forceinline__ Min joined(Min a, Min b) { return {smaller(b.value, a.value)}; }
/// Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979.
__device__ __forceinline__ Moments joined(Moments a, Moments b) {
  if (b.count == 0) return a;
  if (a.count == 0) return b;
  const double count = a.count + b.count, apart = b.mean - a.mean;
  // Equal means stay, an infinite one is no NaN.
  return {count, (a.mean * a.count + b.mean * b.count) / count,
          a.squares + b.squares + apart * apart * (a.count * b.count / count)};
}

/// From sums of the distances from a pivot and of their squares: equal elements have none.
__device__ __forceinline__ Moments around(float pivot, double sum, double squares, double count) {
  if (count == 0) return {0, 0, 0};
  return {count, static_cast<double>(pivot) + sum / count, squares - sum * sum / count};
}
__device__ __forceinline__ float pivot_of(float x) { return op::finite(x) ? x : 0.0f; }

// The results, in f32.
__device__ __forceinline__ float value_of(Sum a) { return static_cast<float>(a.value); }
__device__ __forceinline__ float value_of(Max a) { return static_cast<float>(a.value); }
__device__ __forceinline__ float value_of(Min a) { return static_cast<float>(a.value); }
__device__ __forceinline__ float mean_of(Moments a) { return static_cast<float>(a.mean); }
__device__ __forceinline__ float variance_of(Moments a) {
  const double variance = a.squares / a.count;
  return static_cast<float>(variance < 0 ? 0 : variance);  // NaN stays
}

/// Joins what the threads (x, 0), (x, 1), ... (x, height - 1) have in an order that the height alone decides; thread (x, 0) gets
/// it. All threads of the block call it, those beyond the height, too; `shared` has place for n of each.
template <class A, int n>
__device__ __forceinline__ void join_threads(A* own, double* shared, unsigned x, unsigned y, unsigned width, unsigned height) {
  A* const all = reinterpret_cast<A*>(shared);
  if (y < height) {
#pragma unroll
    for (int e = 0; e < n; ++e) all[(e * height + y) * width + x] = own[e];
  }
  __syncthreads();
  for (unsigned left = height; left > 1;) {
    const unsigned half = (left + 1) / 2;
    if (y + half < left) {
#pragma unroll
      for (int e = 0; e < n; ++e) {
        A& to = all[(e * height + y) * width + x];
        to = joined(to, all[(e * height + y + half) * width + x]);
      }
    }
    left = half;
    __syncthreads();
  }
  if (y == 0) {
#pragma unroll
    for (int e = 0; e < n; ++e) own[e] = all[e * height * width + x];
  }
  __syncthreads();
}

/// `count` partial results, `stride` apart from each other, of which this thread takes every `step`th from `first` on.
template <class A>
__device__ __forceinline__ A joined_partials(const A* from, A nothing, i64 first, i64 step, i64 count, i64 stride) {
  A all = nothing;
#pragma unroll 4
  for (i64 i = first; i < count; i += step) all = joined(all, from[i * stride]);
  return all;
}

}  // namespace qfw::device
