#include "floats.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <thread>
#include <vector>

#include "checks.h"
#include "cuda/launch.h"
#include "qfw/denormals.h"
#include "qfw/elementary.h"
#include "transfer.h"

namespace device_check {
namespace {

using qfw::cuda::KernelSource;
using qfw::cuda::LaunchShape;

constexpr unsigned blocks_of_range = 64, threads_of_block = 256;

float nearest_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rest = bits & 0xffffu, kept = bits >> 16;
  const bool up = rest > 0x8000u || (rest == 0x8000u && (kept & 1u) != 0);
  return x != x ? x : std::bit_cast<float>((kept + (up ? 1 : 0)) << 16);
}

float nearest_f16(float x) {
  if (!std::isfinite(x)) return x;
  const int exponent = static_cast<int>(std::bit_cast<std::uint32_t>(x) >> 23 & 255u) - 127;
  const double unit = std::ldexp(1.0, std::max(exponent, -14) - 10), nearest = std::nearbyint(x / unit) * unit;
  return std::abs(nearest) > 65504 ? std::copysign(HUGE_VALF, x) : static_cast<float>(nearest);
}

/// What is beyond the ends is an end, NaN is 0.
float code_between(float x, float low, float high) {
  if (x != x) return 0;
  return x <= low ? low : x >= high ? high : static_cast<float>(static_cast<int>(x));
}

constexpr std::array functions{
    FloatFunction{"exp", "const float y = op::exp(x);", [](float x) { return qfw::elementary::exp(x); }},
    FloatFunction{"log", "const float y = op::log(x);", [](float x) { return qfw::elementary::log(x); }},
    FloatFunction{"tanh", "const float y = op::tanh(x);", [](float x) { return qfw::elementary::tanh(x); }},
    FloatFunction{"conversion to bf16", "const float y = as_bf16(x);", &nearest_bf16},
    FloatFunction{"sqrt", "const float y = op::sqrt(x);", [](float x) { return std::sqrt(x); }},
    FloatFunction{"reciprocal", "const float y = op::divide(1.0f, x);", [](float x) { return 1.0f / x; }},
    FloatFunction{"square", "const float y = op::multiply(x, x);", [](float x) { return x * x; }},
    FloatFunction{"round_even", "const float y = op::round_even(x);", [](float x) { return std::nearbyint(x); }},
    FloatFunction{"conversion to s8", "s8 code; put(code, x); const float y = value_of(code);",
                  [](float x) { return code_between(x, -128, 127); }},
    FloatFunction{"conversion to u8", "u8 code; put(code, x); const float y = value_of(code);",
                  [](float x) { return code_between(x, 0, 255); }},
    FloatFunction{"conversion to f16", "const float y = as_f16(x);", &nearest_f16},
};
static_assert(functions.size() == std::tuple_size_v<Hashes::value_type>);

std::uint32_t floats_of_range(std::uint32_t every) { return (range_floats - 1) / every + 1; }

std::uint32_t argument(std::size_t range, std::uint32_t k, std::uint32_t every) {
  return static_cast<std::uint32_t>(range) * range_floats + k * every;
}

/// Threads add up what they find; `first` is the range's first argument.
KernelSource hash_kernel(std::size_t f) {
  return qfw::cuda::kernel_source(
      fmt::format("check_hash_{}", f), "unsigned long long* sums, unsigned every, unsigned count",
      fmt::format(R"(const unsigned threads = gridDim.x * blockDim.x, thread = static_cast<unsigned>(thread_index());
  unsigned long long sum = 0;
  for (unsigned k = thread; k < count; k += threads) {{
    const unsigned bits = blockIdx.y * {}u + k * every;
    const float x = __uint_as_float(bits);
    {}
    const unsigned result = y != y ? 0x7fc00000u : __float_as_uint(y);
    sum += (result + 0x9e3779b97f4a7c15ull) * (2 * static_cast<unsigned long long>(bits) + 1);
  }}
  sums[blockIdx.y * threads + thread] = sum;)",
                  range_floats, functions[f].code));
}

KernelSource values_kernel(std::size_t f) {
  return qfw::cuda::kernel_source(fmt::format("check_values_{}", f),
                                  "float* to, unsigned first, unsigned every, unsigned count",
                                  fmt::format(R"(const unsigned threads = gridDim.x * blockDim.x;
  for (unsigned k = static_cast<unsigned>(thread_index()); k < count; k += threads) {{
    const float x = __uint_as_float(first + k * every);
    {}
    to[k] = y;
  }})",
                                              functions[f].code));
}

unsigned blocks_for(std::uint32_t count) {
  return std::min(blocks_of_range, (count + threads_of_block - 1) / threads_of_block);
}

/// The first argument of a range whose result differs, in words; how many do.
struct Difference {
  std::uint32_t count = 0;
  std::string found, expected;
};
Difference difference(Device& device, std::size_t f, std::size_t range, std::uint32_t every) {
  const auto kernel = load(device, values_kernel(f));
  const std::uint32_t count = floats_of_range(every);
  const DeviceMemory memory(device, std::size_t{count} * sizeof(float));
  const LaunchShape shape{.grid = {blocks_for(count), 1, 1}, .block = {threads_of_block, 1, 1}};
  qfw::cuda::launch(device, *kernel, shape, memory.data(), argument(range, 0, every), every, count);
  const std::vector<float> values = on_host<float>(device, memory, count);
  const qfw::FlushDenormals flush;
  Difference found;
  for (std::uint32_t k = 0; k < count; ++k) {
    const auto x = std::bit_cast<float>(argument(range, k, every));
    const float expected = functions[f].host(x);
    if (result_bits(values[k]) == result_bits(expected)) continue;
    if (found.count++ > 0) continue;
    found.found = fmt::format("{} of {}", text_of(values[k]), text_of(x));
    found.expected = text_of(expected);
  }
  return found;
}

void compare(Device& device, std::size_t f, const Hashes& found, const Hashes& expected, std::uint32_t every, Report& report) {
  const std::string name = fmt::format("{} of {}", functions[f].name, every == 1 ? "all floats" : "some floats");
  std::vector<std::size_t> wrong;
  for (std::size_t range = 0; range < hash_ranges; ++range) {
    if (found[range][f] != expected[range][f]) wrong.push_back(range);
  }
  if (wrong.empty()) return report.ok(name);
  const Difference first = difference(device, f, wrong.front(), every);
  if (first.count == 0) {
    return report.wrong(name,
                        fmt::format("hash {:016x} of the floats from {}, whose values are right when copied",
                                    found[wrong.front()][f], hex(argument(wrong.front(), 0, every))),
                        fmt::format("{:016x}", expected[wrong.front()][f]));
  }
  report.wrong(name,
               fmt::format("{} and {} more of {}; {} of {} ranges differ", first.found, first.count - 1, floats_of_range(every),
                           wrong.size(), hash_ranges),
               first.expected);
}

}  // namespace

std::span<const FloatFunction> float_functions() { return functions; }

std::uint32_t result_bits(float value) { return value != value ? 0x7fc00000u : std::bit_cast<std::uint32_t>(value); }

Hashes hashes_on_host(std::uint32_t every) {
  Hashes hashes{};
  std::atomic<std::size_t> next{0};
  const auto loop = [&] {
    const qfw::FlushDenormals flush;
    for (std::size_t range = next++; range < hash_ranges; range = next++) {
      for (std::size_t f = 0; f < functions.size(); ++f) {
        std::uint64_t sum = 0;
        for (std::uint32_t k = 0; k < floats_of_range(every); ++k) {
          const std::uint32_t bits = argument(range, k, every);
          sum += hash_of_result(bits, result_bits(functions[f].host(std::bit_cast<float>(bits))));
        }
        hashes[range][f] = sum;
      }
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(loop);
  loop();
  threads.clear();
  return hashes;
}

const Hashes& known_hashes() {
  static constexpr Hashes hashes{{
#include "hashes.inc"
  }};
  return hashes;
}

void check_floats(Device& device, const Effort& effort, Report& report) {
  std::vector<KernelSource> sources;
  for (std::size_t f = 0; f < functions.size(); ++f) sources.push_back(hash_kernel(f));
  const auto kernels = device.load(sources);
  const std::uint32_t count = floats_of_range(effort.every);
  const unsigned blocks = blocks_for(count);
  const std::size_t threads = std::size_t{blocks} * threads_of_block;
  const DeviceMemory memory(device, hash_ranges * threads * sizeof(std::uint64_t));
  const LaunchShape shape{.grid = {blocks, hash_ranges, 1}, .block = {threads_of_block, 1, 1}};

  Hashes found{};
  for (std::size_t f = 0; f < functions.size(); ++f) {
    qfw::cuda::launch(device, *kernels[f], shape, memory.data(), effort.every, count);
    const auto sums = on_host<std::uint64_t>(device, memory, hash_ranges * threads);
    for (std::size_t range = 0; range < hash_ranges; ++range) {
      for (std::size_t t = 0; t < threads; ++t) found[range][f] += sums[range * threads + t];
    }
  }
  const Hashes expected = effort.every == 1 ? known_hashes() : hashes_on_host(effort.every);
  for (std::size_t f = 0; f < functions.size(); ++f) compare(device, f, found, expected, effort.every, report);
}

}  // namespace device_check
