// Rows of the matrix a convolution multiplies, gathered from NHWC memory. Included once per instruction set.
#if defined(QFW_CPU_ROWS) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_ROWS
#undef QFW_CPU_ROWS
#else
#define QFW_CPU_ROWS
#endif

#include <algorithm>
#include <cstring>

#include "hwy/highway.h"
#include "matmul/geometry.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// A slice: rows [row, row_end), each its elements [k, k_end), in the order of the weights' memory (height, width, channel).
template <class From>
struct Rows {
  const Geometry& g;
  const From* src;
  std::int64_t group, row, row_end, k, k_end;
};

/// `copy(from, count, to)` converts elements, copy.padding() is what the image is surrounded by.
///
/// One run of the kernel's width in one row of the image: elements [k, k_end) of it, zeros where it hangs over the edge.
template <class Copy, class From, class To>
HWY_INLINE void copy_run(const Copy& copy, const From* line, std::int64_t inside, std::int64_t inside_end, std::int64_t k,
                         std::int64_t k_end, To* to) {
  const std::int64_t from = std::clamp(inside, k, k_end), until = std::clamp(inside_end, from, k_end);
  std::fill_n(to, from - k, copy.padding());
  if (until > from) copy(line + from, until - from, to + (from - k));
  std::fill_n(to + (until - k), k_end - until, copy.padding());
}

/// Writes each row to `to`, rows `stride` elements apart, followed by zeros up to a multiple of four.
template <class Copy, class From, class To>
void copy_rows(const Rows<From>& rows, const Copy& copy, To* to, std::int64_t stride) {
  const Geometry& g = rows.g;
  const std::int64_t channels = g.cg(), width = g.kw * channels, extra = (rows.k - rows.k_end) & 3;
  std::int64_t x = rows.row % g.ow, y = rows.row / g.ow % g.oh, n = rows.row / g.ow / g.oh;
  for (std::int64_t row = rows.row; row < rows.row_end; ++row, to += stride) {
    const std::int64_t left = x * g.sw - g.left, top = y * g.sh - g.top;
    const std::int64_t tap = std::clamp<std::int64_t>(-left, 0, g.kw),
                       tap_end = std::clamp<std::int64_t>(g.w - left, tap, g.kw);
    To* at = to;
    for (std::int64_t i = rows.k / width; i * width < rows.k_end; ++i) {
      const std::int64_t begin = std::max(rows.k - i * width, std::int64_t{0}), end = std::min(rows.k_end - i * width, width);
      const bool outside = top + i < 0 || top + i >= g.h;
      const std::int64_t pixel = (n * g.h + top + i) * g.w + left;  // of tap 0, which may hang over the edge
      if (outside) {
        std::fill(at, at + (end - begin), copy.padding());
      } else if (g.groups == 1) {
        copy_run(copy, rows.src + pixel * g.c, tap * channels, tap_end * channels, begin, end, at);
      } else {
        for (std::int64_t j = begin / channels; j * channels < end; ++j) {
          const std::int64_t k = std::max(begin - j * channels, std::int64_t{0}),
                             k_end = std::min(end - j * channels, channels);
          const bool inside = j >= tap && j < tap_end;
          copy_run(copy, rows.src + (pixel + j) * g.c + rows.group * channels, 0, inside ? channels : 0, k, k_end,
                   at + std::max(j * channels - begin, std::int64_t{0}));
        }
      }
      at += end - begin;
    }
    std::fill(at, at + extra, To{0});
    if (++x == g.ow) {
      x = 0;
      if (++y == g.oh) {
        y = 0;
        ++n;
      }
    }
  }
}

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
