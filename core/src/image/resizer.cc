#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "image/bicubic.h"
#include "qfw/error.h"
#include "qfw/image.h"

namespace qfw::image {

namespace {

constexpr int steps = 1024;  // of the kernel's table, per pixel
constexpr float a = -0.5f;

/// The kernel at distance i / steps (inner, below 1) and 1 + i / steps (outer).
struct Kernel {
  std::array<float, steps + 1> inner, outer;

  Kernel() {
    for (int i = 0; i <= steps; ++i) {
      const float x = static_cast<float>(i) / steps, y = x + 1;
      inner[static_cast<std::size_t>(i)] = ((a + 2) * x - (a + 3)) * x * x + 1;
      outer[static_cast<std::size_t>(i)] = ((a * y - 5 * a) * y + 8 * a) * y - 4 * a;
    }
  }
};

const Kernel& kernel() {
  static const Kernel table;
  return table;
}

}  // namespace

std::vector<Taps> bicubic_taps(int from, int to) { return bicubic_taps(from, to, 0, to); }

std::vector<Taps> bicubic_taps(int from, int to, int first, int count) {
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  std::vector<Taps> all(static_cast<std::size_t>(count));
  for (int out = first; out < first + count; ++out) {
    const float place = (static_cast<float>(out) + 0.5f) * scale - 0.5f, floor = std::floor(place);
    const auto whole = static_cast<int>(floor);
    const auto step = static_cast<std::size_t>(std::lrint((place - floor) * steps));
    const float weights[4] = {kernel().outer[step], kernel().inner[step], kernel().inner[steps - step],
                              kernel().outer[steps - step]};
    Taps& taps = all[static_cast<std::size_t>(out - first)];
    float sum = 0;
    for (int k = 0; k < 4; ++k) {
      const int index = whole - 1 + k;
      taps.index[k] = std::clamp(index, 0, from - 1);
      taps.weight[k] = taps.index[k] == index ? weights[k] : 0;
      sum += taps.weight[k];
    }
    for (float& weight : taps.weight) weight *= 1 / sum;
  }
  return all;
}

struct Resizer::Impl {
  /// Tables of the extents met last; crops of all sizes come along, and a table costs little beside decoding.
  struct Axis {
    int from = 0, to = 0;
    bool mirrored = false;
    std::vector<Taps> taps;

    void prepare(int new_from, int new_to, bool mirror) {
      if (from == new_from && to == new_to && mirrored == mirror) return;
      from = new_from;
      to = new_to;
      mirrored = mirror;
      taps = bicubic_taps(from, to);
      if (mirror) std::ranges::reverse(taps);
    }
  };
  Axis rows, columns;
  std::vector<float> row, line;
};

Resizer::Resizer() : impl_(std::make_unique<Impl>()) {}
Resizer::~Resizer() = default;

void Resizer::bicubic(const Pixels& from, Size size, bool mirrored, const Normalize& normalize, std::span<float> to) {
  const std::size_t wanted = static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
  if (from.channels != 3 || from.height < 1 || from.width < 1 || size.height < 1 || size.width < 1 || to.size() != wanted) {
    fail(Error::Category::internal, "image",
         fmt::format("resizing {} x {} x {} to {} x {} in {} floats", from.height, from.width, from.channels, size.height,
                     size.width, to.size()));
  }
  impl_->rows.prepare(from.height, size.height, false);
  impl_->columns.prepare(from.width, size.width, mirrored);
  impl_->row.resize(3 * static_cast<std::size_t>(from.width) + 4);
  impl_->line.resize(3 * static_cast<std::size_t>(size.width) + 4);
  resize_rgb(from, impl_->rows.taps, impl_->columns.taps, normalize, impl_->row.data(), impl_->line.data(), to.data());
}

}  // namespace qfw::image
