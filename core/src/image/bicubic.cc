#include "image/bicubic.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/bicubic.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::image::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Products and sums round one by one, so that every instruction set gives the same picture.
template <class V>
HWY_INLINE V weighted(V a, V wa, V b, V wb, V c, V wc, V d, V wd) {
  return hn::Add(hn::Add(hn::Add(hn::Mul(a, wa), hn::Mul(b, wb)), hn::Mul(c, wc)), hn::Mul(d, wd));
}

void vertical(const Pixels& from, const Taps& taps, float* row) {
  const hn::ScalableTag<float> d;
  const hn::Rebind<std::uint8_t, decltype(d)> bytes;
  const hn::Rebind<std::int32_t, decltype(d)> words;
  const std::size_t count = 3 * static_cast<std::size_t>(from.width), lanes = hn::Lanes(d);
  const std::uint8_t* in[4];
  for (int i = 0; i < 4; ++i) in[i] = from.data.data() + static_cast<std::size_t>(taps.index[i]) * count;
  const auto w0 = hn::Set(d, taps.weight[0]), w1 = hn::Set(d, taps.weight[1]), w2 = hn::Set(d, taps.weight[2]),
             w3 = hn::Set(d, taps.weight[3]);
  const auto load = [&](const std::uint8_t* at) { return hn::ConvertTo(d, hn::PromoteTo(words, hn::LoadU(bytes, at))); };
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(weighted(load(in[0] + i), w0, load(in[1] + i), w1, load(in[2] + i), w2, load(in[3] + i), w3), d, row + i);
  }
  for (; i < count; ++i) {
    float sum = static_cast<float>(in[0][i]) * taps.weight[0];
    for (int k = 1; k < 4; ++k) sum += static_cast<float>(in[k][i]) * taps.weight[k];
    row[i] = sum;
  }
}

#if HWY_TARGET == HWY_SCALAR
void horizontal(const float* row, const std::vector<Taps>& columns, const Normalize& normalize, float* line) {
  for (const Taps& taps : columns) {
    for (int c = 0; c < 3; ++c) {
      float sum = row[3 * taps.index[0] + c] * taps.weight[0];
      for (int k = 1; k < 4; ++k) sum += row[3 * taps.index[k] + c] * taps.weight[k];
      *line++ = (sum - normalize.mean[c]) * normalize.factor[c];
    }
  }
}
#else
/// Loads and stores four floats for three channels: what comes after a pixel is overwritten by the next one.
void horizontal(const float* row, const std::vector<Taps>& columns, const Normalize& normalize, float* line) {
  const hn::FixedTag<float, 4> d;
  HWY_ALIGN const float means[4] = {normalize.mean[0], normalize.mean[1], normalize.mean[2], 0};
  HWY_ALIGN const float factors[4] = {normalize.factor[0], normalize.factor[1], normalize.factor[2], 0};
  const auto mean = hn::Load(d, means), factor = hn::Load(d, factors);
  for (const Taps& taps : columns) {
    const auto at = [&](int k) { return hn::LoadU(d, row + 3 * taps.index[k]); };
    const auto weight = [&](int k) { return hn::Set(d, taps.weight[k]); };
    const auto value = weighted(at(0), weight(0), at(1), weight(1), at(2), weight(2), at(3), weight(3));
    hn::StoreU(hn::Mul(hn::Sub(value, mean), factor), d, line);
    line += 3;
  }
}
#endif

void resize_all(const Pixels& from, const std::vector<Taps>& rows, const std::vector<Taps>& columns, const Normalize& normalize,
                float* row, float* line, float* to) {
  const std::size_t width = 3 * columns.size();
  for (std::size_t y = 0; y < rows.size(); ++y, to += width) {
    vertical(from, rows[y], row);
    if (y + 1 < rows.size()) {
      horizontal(row, columns, normalize, to);  // the float too many is the next line's first
    } else {
      horizontal(row, columns, normalize, line);
      std::memcpy(to, line, width * sizeof(float));
    }
  }
}

}  // namespace
}  // namespace qfw::image::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::image {

HWY_EXPORT(resize_all);

void resize_rgb(const Pixels& from, const std::vector<Taps>& rows, const std::vector<Taps>& columns, const Normalize& normalize,
                float* row, float* line, float* to) {
  HWY_DYNAMIC_DISPATCH(resize_all)(from, rows, columns, normalize, row, line, to);
}

}  // namespace qfw::image
#endif
