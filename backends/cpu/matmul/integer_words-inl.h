// The inner loops of integer products in words: a few results of one vector of channels, in registers. Included once per
// instruction set.
#if defined(QFW_CPU_INTEGER_WORDS) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_INTEGER_WORDS
#undef QFW_CPU_INTEGER_WORDS
#else
#define QFW_CPU_INTEGER_WORDS
#endif

#include <algorithm>

#include "hwy/highway.h"
#include "matmul/integer_instructions-inl.h"
#include "matmul/integer_words.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Words32 = hn::ScalableTag<std::int32_t>;
using Word = hn::Vec<Words32>;

std::int64_t word_vector() { return static_cast<std::int64_t>(hn::Lanes(Words32())); }

HWY_INLINE Word load_words(const std::byte* from) { return hn::Load(Words32(), reinterpret_cast<const std::int32_t*>(from)); }

HWY_INLINE Word multiply_two(Word a, Word b) {
#if QFW_MULTIPLIES_BYTES
  return multiply_pairs(hn::BitCast(D16(), a), hn::BitCast(D16(), b));
#else
  const auto low = [](Word word) { return hn::ShiftRight<16>(hn::ShiftLeft<16>(word)); };
  const auto high = [](Word word) { return hn::ShiftRight<16>(word); };
  return hn::Add(hn::Mul(low(a), low(b)), hn::Mul(high(a), high(b)));
#endif
}

HWY_INLINE void store_result(const WordRow& row, Word sum, std::int64_t x) {
  const Words32 d;
  std::int32_t* to = row.dst + x * row.dst_step;
  if (row.channels == word_vector()) {
    row.stream ? hn::Stream(sum, d, to) : hn::StoreU(sum, d, to);
    return;
  }
  HWY_ALIGN std::int32_t line[hn::MaxLanes(d)];
  hn::Store(sum, d, line);
  std::copy_n(line, row.channels, to);
}

/// `Count` results from pixel x on, or up to the row's end; what lies beyond is read. Stride: the convolution's, 0 if it
/// is neither 1 nor 2.
struct SumPairs {
  template <int Count, int Stride>
  static HWY_INLINE void results(const WordRow& row, std::int64_t x) {
    const std::int64_t bytes = word_vector() * 4, step = (Stride == 0 ? row.stride : Stride) * bytes;
    Word sums[Count];
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) sums[i] = hn::Zero(Words32());
    const std::byte* weights = row.weights;
    for (std::int64_t l = 0; l < row.line_count; ++l) {
      const std::byte* word = row.lines[l] + x * step;
      for (std::int64_t j = 0; j < row.kernel_width; ++j, word += bytes, weights += bytes) {
        const Word weight = load_words(weights);
#pragma GCC unroll 8
        for (int i = 0; i < Count; ++i) sums[i] = hn::Add(sums[i], multiply_two(load_words(word + i * step), weight));
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) {
      if (x + i < row.pixels) store_result(row, sums[i], x + i);
    }
  }
};

#if QFW_MULTIPLIES_BYTES
struct SumQuads {
  template <int Count, int Stride>
  static HWY_INLINE void results(const WordRow& row, std::int64_t x) {
    const std::int64_t bytes = word_vector() * 4, step = (Stride == 0 ? row.stride : Stride) * bytes;
    HWY_ALIGN std::int32_t wide[Count][hn::MaxLanes(Words32())];
    V16 sums[Count];
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) {
      sums[i] = hn::Zero(D16());
      const Word none = row.compensation == nullptr ? hn::Zero(Words32()) : hn::LoadU(Words32(), row.compensation);
      hn::Store(hn::Neg(none), Words32(), wide[i]);
    }
    const auto widened = [&](int i) {
      return hn::Add(hn::Load(Words32(), wide[i]), multiply_pairs(sums[i], hn::Set(D16(), 1)));
    };
    const std::byte* weights = row.weights;
    std::int64_t left = row.widen_after;
    for (std::int64_t l = 0; l < row.line_count; ++l) {
      const std::byte* word = row.lines[l] + x * step;
      for (std::int64_t j = 0; j < row.kernel_width; ++j, word += bytes, weights += bytes) {
        const auto weight = hn::BitCast(D8(), load_words(weights));
#pragma GCC unroll 8
        for (int i = 0; i < Count; ++i) {
          sums[i] = hn::Add(sums[i], multiply_bytes(hn::BitCast(DU8(), load_words(word + i * step)), weight));
        }
        if (--left > 0) continue;
#pragma GCC unroll 8
        for (int i = 0; i < Count; ++i) {
          hn::Store(widened(i), Words32(), wide[i]);
          sums[i] = hn::Zero(D16());
        }
        left = row.widen_after;
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) {
      if (x + i < row.pixels) store_result(row, widened(i), x + i);
    }
  }
};
#endif

template <class Loop, int Stride>
HWY_NOINLINE void all_results(const WordRow& row) {
  std::int64_t x = 0;
  for (; x + 4 < row.pixels; x += 8) Loop::template results<8, Stride>(row, x);
  if (x < row.pixels) Loop::template results<4, Stride>(row, x);
}

template <class Loop>
void multiply_row(const WordRow& row) {
  if (row.stride == 1) {
    all_results<Loop, 1>(row);
  } else if (row.stride == 2) {
    all_results<Loop, 2>(row);
  } else {
    all_results<Loop, 0>(row);
  }
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
