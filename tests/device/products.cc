// Products of cuDNN's against their definition, and how fast the largest is.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "checks.h"
#include "qfw/random.h"
#include "transfer.h"

namespace device_check {
namespace {

using qfw::DType;
using qfw::cuda::ProductShape;

std::uint16_t bf16_of(float value) {  // of one that a bf16 can be near
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
float float_of(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

/// Values that are not what they should be; zeros are equal.
struct Mismatch {
  std::size_t count = 0;
  std::string first, expected_first;

  void add(std::size_t at, float found, float expected) {
    if (found == expected || count++ > 0) return;
    first = fmt::format("{} at {}", text_of(found), at);
    expected_first = text_of(expected);
  }
  void say(const std::string& name, const qfw::cuda::FloatProduct& product, Report& report) const {
    if (count == 0) return report.ok(name, product.describe());
    report.wrong(name, fmt::format("{} and {} more ({})", first, count - 1, product.describe()), expected_first);
  }
};

/// A product of matrices: rows x depth by depth x columns, in bf16.
ProductShape matrices(std::int64_t rows, std::int64_t depth, std::int64_t columns) {
  return {.kind = ProductShape::Kind::forward,
          .conv = {},
          .src = {rows, 1, 1, depth},
          .weights = {1, 1, depth, columns},
          .dst = {rows, 1, 1, columns},
          .in = DType::bf16,
          .out = DType::bf16};
}

template <class Value>
std::vector<std::uint16_t> values_of(std::size_t count, std::uint64_t stream, const Value& value) {
  qfw::RandomStream random(5, stream);
  std::vector<std::uint16_t> values(count);
  for (auto& each : values) each = bf16_of(value(random));
  return values;
}

/// Of small whole numbers, which no order of summation rounds.
void check_exact_product(Device& device, std::int64_t size, Report& report) {
  const auto n = static_cast<std::size_t>(size);
  const auto whole = [](qfw::RandomStream& random) { return static_cast<float>(random.below(5)) - 2; };
  const auto a = values_of(n * n, 1, whole), b = values_of(n * n, 2, whole);
  const auto product = device.make_product(matrices(size, size, size));
  const DeviceMemory at = on_device(device, a), bt = on_device(device, b), to(device, n * n * 2),
                     workspace(device, product->workspace_bytes());
  product->run(Stream::compute, at.data(), bt.data(), to.data(), workspace.data());
  const auto found = on_host<std::uint16_t>(device, to, n * n);
  Mismatch mismatch;
  for (std::size_t row = 0; row < n; row += std::max<std::size_t>(1, n / 16)) {
    for (std::size_t column = 0; column < n; ++column) {
      float sum = 0;
      for (std::size_t k = 0; k < n; ++k) sum += float_of(a[row * n + k]) * float_of(b[k * n + column]);
      mismatch.add(row * n + column, float_of(found[row * n + column]), float_of(bf16_of(sum)));
    }
  }
  mismatch.say(fmt::format("bf16 product of {0} x {0}", size), *product, report);
}

/// The same of a convolution's weights, in f32: a plan of cuDNN's that is compiled, or was beforehand.
void check_exact_gradient(Device& device, std::int64_t images, std::int64_t channels, Report& report) {
  constexpr std::int64_t extent = 14, kernel = 3;
  const ProductShape shape{.kind = ProductShape::Kind::grad_weights,
                           .conv = {.padding = {{1, 1}, {1, 1}}},
                           .src = {images, extent, extent, channels},
                           .weights = {kernel, kernel, channels, channels},
                           .dst = {images, extent, extent, channels},
                           .in = DType::bf16,
                           .out = DType::f32};
  const auto whole = [](qfw::RandomStream& random) { return static_cast<float>(random.below(5)) - 2; };
  const auto count = static_cast<std::size_t>(shape.src.count());
  const auto x = values_of(count, 4, whole), y = values_of(count, 5, whole);
  const auto product = device.make_product(shape);
  const DeviceMemory xt = on_device(device, x), yt = on_device(device, y), to(device, shape.weights.count() * sizeof(float)),
                     workspace(device, product->workspace_bytes());
  product->run(Stream::compute, xt.data(), yt.data(), to.data(), workspace.data());
  const auto found = on_host<float>(device, to, static_cast<std::size_t>(shape.weights.count()));

  const auto at = [&](const std::vector<std::uint16_t>& image, std::int64_t n, std::int64_t row, std::int64_t column,
                      std::int64_t channel) {
    if (row < 0 || column < 0 || row >= extent || column >= extent) return 0.0f;
    return float_of(image[((n * extent + row) * extent + column) * channels + channel]);
  };
  Mismatch mismatch;
  for (std::int64_t w = 0; w < shape.weights.count(); w += 61) {
    const std::int64_t out = w % channels, in = w / channels % channels, tap = w / channels / channels;
    float sum = 0;
    for (std::int64_t n = 0; n < images; ++n) {
      for (std::int64_t pixel = 0; pixel < extent * extent; ++pixel) {
        const std::int64_t row = pixel / extent, column = pixel % extent;
        sum += at(x, n, row + tap / kernel - 1, column + tap % kernel - 1, in) * at(y, n, row, column, out);
      }
    }
    mismatch.add(w, found[w], sum);
  }
  mismatch.say(fmt::format("gradient of {} bf16 weights", shape.weights.count()), *product, report);
}

}  // namespace

void check_products(Device& device, const Effort& effort, Report& report) {
  if (!device.properties().bf16) return report.left_out("bf16 products", "the device has none");
  check_exact_product(device, effort.whole ? 1024 : 16, report);
  check_exact_gradient(device, effort.whole ? 32 : 2, effort.whole ? 64 : 8, report);
  if (!effort.timed) return;
  const std::int64_t size = 8192;
  const auto n = static_cast<std::size_t>(size);
  const auto normal = [](qfw::RandomStream& random) { return static_cast<float>(random.uniform()) - 0.5f; };
  const auto values = values_of(n * n, 3, normal);
  const auto product = device.make_product(matrices(size, size, size));
  const DeviceMemory a = on_device(device, values), b = on_device(device, values), to(device, n * n * 2),
                     workspace(device, product->workspace_bytes());
  const auto run = [&] { product->run(Stream::compute, a.data(), b.data(), to.data(), workspace.data()); };
  for (int i = 0; i < 3; ++i) run();
  const double seconds = seconds_of(device, 10, run);
  report.number(fmt::format("bf16 product of {0} x {0}", size), 2e-12 * std::pow(static_cast<double>(size), 3) / seconds,
                "TFLOP/s");
}

}  // namespace device_check
