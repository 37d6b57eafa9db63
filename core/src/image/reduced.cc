#include "image/reduced.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "qfw/error.h"

namespace qfw::image {

namespace {

constexpr int point = 22;  ///< bits of a weight behind the point
constexpr std::int32_t half = 1 << (point - 1);

double triangle(double x) { return x < 1 ? 1 - x : 0; }

/// Keys' kernel.
double cubic(double x) {
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

std::uint8_t rounded(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> point, 0, 255)); }

}  // namespace

void ReducingResizer::Axis::prepare(int new_from, int new_to, int new_first, int new_count, Preparation::Filter new_filter) {
  if (from == new_from && to == new_to && first == new_first && count == new_count && filter == new_filter) return;
  from = new_from;
  to = new_to;
  first = new_first;
  count = new_count;
  filter = new_filter;
  const bool is_cubic = filter == Preparation::Filter::bicubic_reduced;
  const double scale = static_cast<double>(from) / to, stretch = std::max(scale, 1.0);
  const double reach = (is_cubic ? 2 : 1) * stretch, shrink = 1 / stretch;
  outputs.clear();
  weights.clear();
  std::vector<double> exact;
  for (int i = first; i < first + count; ++i) {
    const double centre = (i + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(centre - reach + 0.5));
    const int end = std::min(from, static_cast<int>(centre + reach + 0.5));
    double sum = 0;
    exact.clear();
    for (int x = begin; x < end; ++x) {
      const double distance = std::abs((x - centre + 0.5) * shrink);
      exact.push_back(is_cubic ? cubic(distance) : triangle(distance));
      sum += exact.back();
    }
    outputs.push_back({begin, end - begin, weights.size()});
    for (const double weight : exact) {
      const double scaled = (sum != 0 ? weight / sum : weight) * (1 << point);
      weights.push_back(static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
}

/// Columns, of the rows that are needed.
void ReducingResizer::narrow(const Pixels& from, int first_row, int rows) {
  const std::size_t width = columns_.outputs.size(), stride = 3 * static_cast<std::size_t>(from.width);
  narrowed_.resize(3 * width * static_cast<std::size_t>(rows));
  std::uint8_t* to = narrowed_.data();
  for (int y = first_row; y < first_row + rows; ++y) {
    const std::uint8_t* row = from.data.data() + static_cast<std::size_t>(y) * stride;
    for (const auto& [begin, count, at] : columns_.outputs) {
      const std::uint8_t* pixel = row + std::size_t{3} * static_cast<std::size_t>(begin);
      const std::int32_t* weight = columns_.weights.data() + at;
      std::int32_t red = half, green = half, blue = half;
      for (int k = 0; k < count; ++k, pixel += 3) {
        red += pixel[0] * weight[k];
        green += pixel[1] * weight[k];
        blue += pixel[2] * weight[k];
      }
      *to++ = rounded(red);
      *to++ = rounded(green);
      *to++ = rounded(blue);
    }
  }
}

/// Rows, of what begins with `first_row`.
void ReducingResizer::shorten(const std::uint8_t* from, int first_row, std::size_t row_bytes) {
  result_.resize(row_bytes * rows_.outputs.size());
  sums_.resize(row_bytes);
  std::uint8_t* to = result_.data();
  for (const auto& [begin, count, at] : rows_.outputs) {
    std::ranges::fill(sums_, half);
    for (int k = 0; k < count; ++k) {
      const std::uint8_t* row = from + static_cast<std::size_t>(begin - first_row + k) * row_bytes;
      const std::int32_t weight = rows_.weights[at + static_cast<std::size_t>(k)];
      for (std::size_t i = 0; i < row_bytes; ++i) sums_[i] += row[i] * weight;
    }
    for (std::size_t i = 0; i < row_bytes; ++i) to[i] = rounded(sums_[i]);
    to += row_bytes;
  }
}

std::span<const std::uint8_t> ReducingResizer::operator()(const Pixels& from, Preparation::Filter filter, Size whole,
                                                          const Window& part) {
  if (from.channels != 3 || from.height < 1 || from.width < 1 || part.y < 0 || part.x < 0 || part.height < 1 ||
      part.width < 1 || part.height > whole.height - part.y || part.width > whole.width - part.x) {
    fail(Error::Category::internal, "image",
         fmt::format("{} x {} at {}, {} of {} x {} x {} resized to {} x {}", part.height, part.width, part.y, part.x,
                     from.height, from.width, from.channels, whole.height, whole.width));
  }
  columns_.prepare(from.width, whole.width, part.x, part.width, filter);
  rows_.prepare(from.height, whole.height, part.y, part.height, filter);
  const auto& [first_row, first_count, first_weights] = rows_.outputs.front();
  const auto& [last_row, last_count, last_weights] = rows_.outputs.back();
  narrow(from, first_row, last_row + last_count - first_row);
  shorten(narrowed_.data(), first_row, 3 * columns_.outputs.size());
  return result_;
}

}  // namespace qfw::image
