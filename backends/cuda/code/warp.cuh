#pragma once

// The instructions beyond C++ that integer products use. On the host their meaning, lane by lane, is the emulation's.
namespace qfw::device {

using Word4 = Pack<unsigned, 4>;

#if defined(__CUDACC__)

__device__ __forceinline__ unsigned shared_address(const void* p) { return static_cast<unsigned>(__cvta_generic_to_shared(p)); }

/// Four 8 x 8 matrices of 16-bit words from shared memory: lane l names row l % 8 of matrix l / 8, and gets words
/// 2 (l % 4) and the next of row l / 4 of each. From sm_75.
__device__ __forceinline__ void ldmatrix4(unsigned (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

/// d += a * b, 16 x 32 times 32 x 8, exact modulo 2^32. From sm_80.
template <bool a_signed>
__device__ __forceinline__ void mma_16x8x32(int (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  if constexpr (a_signed) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}

/// The same, 8 x 16 times 16 x 8. From sm_75.
template <bool a_signed>
__device__ __forceinline__ void mma_8x8x16(int& d0, int& d1, unsigned a, unsigned b) {
  if constexpr (a_signed) {
    asm("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};" : "+r"(d0), "+r"(d1) : "r"(a), "r"(b));
  } else {
    asm("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};" : "+r"(d0), "+r"(d1) : "r"(a), "r"(b));
  }
}

/// sum plus the products of four bytes of `a` with four signed ones of `b`. From sm_61.
template <bool a_signed>
__device__ __forceinline__ int dot4(unsigned a, unsigned b, int sum) {
  if constexpr (a_signed) {
    asm("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
  } else {
    asm("dp4a.u32.s32 %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
  }
  return sum;
}

/// Starts a copy of 4 or 16 bytes to shared memory, or of so many zeros. From sm_80.
template <int bytes>
__device__ __forceinline__ void copy_async(void* to, const void* from, bool inside) {
  static_assert(bytes == 4 || bytes == 16);
  if constexpr (bytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(inside ? 16 : 0)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from), "r"(inside ? 4 : 0)
                 : "memory");
  }
}
/// What this thread started since the last one is a group.
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits until all but the last n groups of this thread have landed.
template <int n>
__device__ __forceinline__ void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
}

#else

template <int bytes>
void copy_async(void* to, const void* from, bool inside) {
  emulated::now->copy(to, from, bytes, inside);
}
inline void copy_commit() { emulated::now->commit(); }
template <int n>
void copy_wait() {
  emulated::now->wait_group(n);
}
using emulated::dot4;
using emulated::ldmatrix4;
using emulated::mma_16x8x32;
using emulated::mma_8x8x16;

#endif

}  // namespace qfw::device
