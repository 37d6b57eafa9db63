#include "conformance/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace qfw::conformance {

namespace {

/// Subnormal numbers count as zero on every backend.
bool subnormal(double value) { return value != 0 && std::abs(value) < 0x1p-126; }
double flushed(double value) { return subnormal(value) ? 0 : value; }

bool same_kind(double a, double b) {
  return std::isnan(a) == std::isnan(b) && (std::isnan(a) || std::isinf(a) == std::isinf(b)) && (!std::isinf(a) || a == b);
}

double root_mean_square(const Tensor& tensor) {
  const std::int64_t count = tensor.type().shape.count();
  double square = 0;
  std::int64_t finite = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = tensor[i];
    if (std::isfinite(value)) {
      square += value * value;
      ++finite;
    }
  }
  return finite == 0 ? 0 : std::sqrt(square / static_cast<double>(finite));
}

}  // namespace

std::string difference(const Tensor& found, const Tensor& expected, const Tolerance& tolerance, bool by_norm) {
  const std::int64_t count = expected.type().shape.count();
  const double scale = root_mean_square(expected);
  std::int64_t wrong = 0, worst_at = -1;
  double worst = -1, square = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    // What only passes an operand on (minimum, select, views, fetches of variables) may pass a subnormal one; none is made.
    if (subnormal(found[i]) && found[i] != expected[i]) {
      return fmt::format(
          "element {} of {} is {}, a subnormal number where {} is expected: the backend must flush them to zero "
          "on each of its threads (qfw/denormals.h)",
          i, expected.type().str(), found[i], expected[i]);
    }
    const double a = flushed(found[i]), b = flushed(expected[i]);
    if (!same_kind(a, b)) return fmt::format("element {} of {} is {}, expected {}", i, expected.type().str(), a, b);
    if (!std::isfinite(b)) continue;
    const double error = std::abs(a - b), allowed = tolerance.relative * std::abs(b) + tolerance.of_scale * scale;
    square += error * error;
    if (error > allowed) ++wrong;
    if (error - allowed > worst) {
      worst = error - allowed;
      worst_at = i;
    }
  }
  if (by_norm) {
    const double error = std::sqrt(square / static_cast<double>(std::max<std::int64_t>(count, 1)));
    if (error <= (tolerance.relative + tolerance.of_scale) * scale) return {};
    return fmt::format("{}: root mean square error {:.3g} of values of size {:.3g}, allowed are {:.3g} parts",
                       expected.type().str(), error, scale, tolerance.relative + tolerance.of_scale);
  }
  if (wrong == 0) return {};
  return fmt::format(
      "{} of {} elements of {} differ; the worst is element {}: {:.9g}, expected {:.9g}; allowed are {:.3g} of it + {:.3g} of "
      "{:.3g}",
      wrong, count, expected.type().str(), worst_at, found[worst_at], expected[worst_at], tolerance.relative,
      tolerance.of_scale, scale);
}

std::string triviality(const Tensor& expected, int least_levels) {
  if (least_levels == 0) return {};
  const std::int64_t count = expected.type().shape.count();
  std::set<double> levels;
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    if (expected[i] == 0) ++zeros;
    if (!std::isnan(expected[i])) levels.insert(expected[i]);
  }
  if (count >= 8 && zeros > 0.95 * static_cast<double>(count)) return fmt::format("{} of {} elements are 0", zeros, count);
  if (count >= 8 && static_cast<int>(levels.size()) < least_levels)
    return fmt::format("only {} different values", levels.size());
  return {};
}

std::string change(const Tensor& first, const Tensor& second) {
  const auto a = first.view().bytes, b = second.view().bytes;
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return at == a.end() ? "" : fmt::format("byte {} of {}", at - a.begin(), first.type().str());
}

}  // namespace qfw::conformance
