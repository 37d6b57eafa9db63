// The inner loops of integer products in words: a few results of one vector of channels, in registers. Included once per
// instruction set.
#if defined(QFW_CPU_INTEGER_WORDS) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_INTEGER_WORDS
#undef QFW_CPU_INTEGER_WORDS
#else
#define QFW_CPU_INTEGER_WORDS
#endif

#include <algorithm>
#include <cstring>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "matmul/integer_instructions-inl.h"
#include "matmul/integer_words.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Words32 = hn::ScalableTag<std::int32_t>;
using Word = hn::Vec<Words32>;

/// The loops of 512 bits stay as they were measured.
constexpr bool narrow_vectors = HWY_TARGET > HWY_AVX3;

std::int64_t word_vector() { return static_cast<std::int64_t>(hn::Lanes(Words32())); }

HWY_INLINE Word load_words(const std::byte* from) { return hn::Load(Words32(), reinterpret_cast<const std::int32_t*>(from)); }

// Rows of results that are gone through vector by vector: what they and their part of src take stays in the second-level cache.
constexpr std::int64_t band_bytes = 256 << 10;

// Vectors of output channels that are gone through together: with vectors of 32 bytes two, since they fill a cache's lines.
constexpr std::int64_t vectors_at_once = HWY_MAX_BYTES == 32 ? 2 : 1;

/// Of results, all images' rows one after the other.
std::int64_t band_rows(const Geometry& g) {
  // What is written in whole lines of a cache is not met again.
  const std::int64_t bytes = g.sh * g.w * g.c + (vectors_at_once > 1 ? g.sh * g.w * g.c : 4 * g.ow * g.o);
  return std::max<std::int64_t>(band_bytes / bytes, 1);
}

std::int64_t whole_lines(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Pixels in a line of memory, and how many of them may be read a vector at a time without leaving the tensor.
struct Pixels {
  const std::uint8_t* from;
  std::int64_t step, count;

  std::int64_t readable(const std::uint8_t* end, std::int64_t bytes) const {
    if (step == 0 || (count - 1) * step + bytes <= end - from) return count;
    return end - from < bytes ? 0 : (end - from - bytes) / step + 1;
  }
};

template <bool Signed>
HWY_INLINE Word load_codes(const std::uint8_t* from) {
  if constexpr (Signed) {
    const hn::Rebind<std::int8_t, Words32> narrow;
    return hn::PromoteTo(Words32(), hn::LoadU(narrow, reinterpret_cast<const std::int8_t*>(from)));
  } else {
    const hn::Rebind<std::uint8_t, Words32> narrow;
    return hn::PromoteTo(Words32(), hn::LoadU(narrow, from));
  }
}

HWY_INLINE void store_words(Word word, std::byte* to) { hn::Store(word, Words32(), reinterpret_cast<std::int32_t*>(to)); }

/// Past the caches: pixels of as many vectors as are gone through together, to pixels of `channels`.
void stream_lines(const std::int32_t* line, std::int64_t pixels, std::int64_t channels, std::int32_t* dst) {
  const Words32 d;
  const std::int64_t count = vectors_at_once * word_vector();
  for (std::int64_t x = 0; x < pixels; ++x, line += count, dst += channels) {
    for (std::int64_t o = 0; o < count; o += word_vector()) hn::Stream(hn::Load(d, line + o), d, dst + o);
  }
}

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

// How words are multiplied and added up.
struct SumPairs {
  using Sum = Word;
  static HWY_INLINE Sum zero() { return hn::Zero(Words32()); }
  static HWY_INLINE Sum add(Sum sum, Word word, Word weight) { return hn::Add(sum, multiply_two(word, weight)); }
  static HWY_INLINE Word result(const WordRow&, Sum sum) { return sum; }
};
#if QFW_MULTIPLIES_BYTES
/// Where 16 bits hold all sums.
struct SumQuads {
  using Sum = V16;
  static HWY_INLINE Sum zero() { return hn::Zero(D16()); }
  static HWY_INLINE Sum add(Sum sum, Word word, Word weight) {
    return hn::Add(sum, multiply_bytes(hn::BitCast(DU8(), word), hn::BitCast(D8(), weight)));
  }
  static HWY_INLINE Word result(const WordRow& row, Sum sum) {
    const Word wide = multiply_pairs(sum, hn::Set(D16(), 1));
    return row.compensation == nullptr ? wide : hn::Sub(wide, hn::LoadU(Words32(), row.compensation));
  }
};
#endif

/// Words of lines: one for each lane, or one for all.
template <bool Same>
HWY_INLINE Word load_word(const std::byte* from) {
  if constexpr (!Same) return load_words(from);
  std::int32_t word;
  std::memcpy(&word, from, sizeof(word));
  return hn::Set(Words32(), word);
}
template <bool Same>
HWY_INLINE std::int64_t word_bytes() {
  return Same ? 4 : word_vector() * 4;
}

/// From one result to the next.
template <bool Same, int Stride>
HWY_INLINE std::int64_t result_step(const WordRow& row) {
  return (Stride == 0 ? row.stride : Stride) * word_bytes<Same>();
}

/// Results from pixel x on, up to the row's end.
template <class Words, int Count>
HWY_INLINE void store_results(const WordRow& row, const typename Words::Sum (&sums)[Count], std::int64_t x) {
  if (narrow_vectors && row.channels == word_vector()) {
    std::int32_t* to = row.dst + x * row.dst_step;
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i, to += row.dst_step) {
      if (x + i >= row.pixels) return;
      hwy::Prefetch(to + row.ahead);
      hn::StoreU(Words::result(row, sums[i]), Words32(), to);
    }
    return;
  }
#pragma GCC unroll 8
  for (int i = 0; i < Count; ++i) {
    if (x + i < row.pixels) store_result(row, Words::result(row, sums[i]), x + i);
  }
}

// Loops over lines: `Count` results from pixel x on, or up to the row's end; what lies beyond is read. Stride: words from one
// result to the next, 0 if they are neither 1 nor 2.

template <class Words, bool Same>
struct AnyWidth {
  template <int Count, int Stride>
  static HWY_INLINE void results(const WordRow& row, std::int64_t x) {
    const std::int64_t bytes = word_vector() * 4, step = result_step<Same, Stride>(row);
    typename Words::Sum sums[Count];
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) sums[i] = Words::zero();
    const std::byte* weights = row.weights;
    for (std::int64_t l = 0; l < row.line_count; ++l) {
      const std::byte* word = row.lines[l] + x * step;
      for (std::int64_t j = 0; j < row.width; ++j, word += word_bytes<Same>(), weights += bytes) {
        const Word weight = load_words(weights);
#pragma GCC unroll 8
        for (int i = 0; i < Count; ++i) sums[i] = Words::add(sums[i], load_word<Same>(word + i * step), weight);
      }
    }
    store_results<Words>(row, sums, x);
  }
};

/// The same for kernels of that width: each word is read once and multiplied by all weights that it meets.
template <class Words, int Width>
struct OfWidth {
  template <int Count, int Stride>
  static HWY_INLINE void results(const WordRow& row, std::int64_t x) {
    const std::int64_t bytes = word_vector() * 4;
    typename Words::Sum sums[Count];
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) sums[i] = Words::zero();
    const std::byte* weights = row.weights;
    for (std::int64_t l = 0; l < row.line_count; ++l) {
      const std::byte* words = row.lines[l] + x * Stride * bytes;
      Word weight[Width];
#pragma GCC unroll 8
      for (int j = 0; j < Width; ++j, weights += bytes) weight[j] = load_words(weights);
#pragma GCC unroll 32
      for (int column = 0; column < (Count - 1) * Stride + Width; ++column) {
        const Word word = load_words(words + column * bytes);
#pragma GCC unroll 8
        for (int j = 0; j < Width; ++j) {
          const int i = column - j;
          if (i < 0 || i % Stride != 0 || i / Stride >= Count) continue;
          sums[i / Stride] = Words::add(sums[i / Stride], word, weight[j]);
        }
      }
    }
    store_results<Words>(row, sums, x);
  }
};

#if QFW_MULTIPLIES_BYTES
template <bool Same>
struct WidenedQuads {
  template <int Count, int Stride>
  static HWY_INLINE void results(const WordRow& row, std::int64_t x) {
    const std::int64_t bytes = word_vector() * 4, step = result_step<Same, Stride>(row);
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
      for (std::int64_t j = 0; j < row.width; ++j, word += word_bytes<Same>(), weights += bytes) {
        const Word weight = load_words(weights);
#pragma GCC unroll 8
        for (int i = 0; i < Count; ++i) sums[i] = SumQuads::add(sums[i], load_word<Same>(word + i * step), weight);
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
void multiply_by_stride(const WordRow& row) {
  if (row.stride == 1) {
    all_results<Loop, 1>(row);
  } else if (row.stride == 2) {
    all_results<Loop, 2>(row);
  } else {
    all_results<Loop, 0>(row);
  }
}

template <class Loop>
void multiply_same([[maybe_unused]] const WordRow& row) {
  if constexpr (narrow_vectors) all_results<Loop, 0>(row);
}

template <class Words>
void multiply_row(const WordRow& row) {
  if constexpr (narrow_vectors) {
    const bool once = row.stride == 1, twice = row.stride == 2;
    if (row.width == 3 && once) return all_results<OfWidth<Words, 3>, 1>(row);
    if (row.width == 3 && twice) return all_results<OfWidth<Words, 3>, 2>(row);
    if (row.width == 5 && once) return all_results<OfWidth<Words, 5>, 1>(row);
    if (row.width == 5 && twice) return all_results<OfWidth<Words, 5>, 2>(row);
  }
  multiply_by_stride<AnyWidth<Words, false>>(row);
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
