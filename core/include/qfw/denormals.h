#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace qfw {

/// Subnormal operands and results count as zero on the calling thread while it lives; what the thread did before comes back
/// with the end. Every backend computes so on each of its threads. x86 and AArch64 only: elsewhere it does nothing, subnormal
/// results stay, and conformance says so (docs/numerics.md).
class FlushDenormals {
 public:
  FlushDenormals() : before_(control()) {
    if ((before_ & both) != both) set_control(before_ | both);
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
  ~FlushDenormals() {
    if ((before_ & both) != both) set_control(before_);
  }

  /// For good, on a thread that does nothing else.
  static void on_this_thread() { set_control(control() | both); }

 private:
  // The control register of the floating point unit.
#if defined(__SSE__)
  static constexpr unsigned long both = 0x8040;  // MXCSR: FTZ for results, DAZ for operands
  static unsigned long control() { return _mm_getcsr(); }
  static void set_control(unsigned long value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
  static constexpr unsigned long both = 1ul << 24;  // FPCR.FZ
  static unsigned long control() {
    unsigned long value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void set_control(unsigned long value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  static constexpr unsigned long both = 0;
  static unsigned long control() { return 0; }
  static void set_control(unsigned long) {}
#endif

  unsigned long before_;
};

}  // namespace qfw
