// Operations of two and three floats: each rounds once, and what is subnormal is zero.
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "checks.h"
#include "cuda/launch.h"
#include "floats.h"
#include "qfw/denormals.h"
#include "qfw/random.h"
#include "transfer.h"

namespace device_check {
namespace {

struct Operands {
  float a, b, c;
};

struct Operation {
  const char* name;
  const char* code;  ///< an expression of a, b and c
  float (*host)(const Operands& of);
};

constexpr std::array operations{
    Operation{"add", "op::add(a, b)", [](const Operands& of) { return of.a + of.b; }},
    Operation{"subtract", "op::subtract(a, b)", [](const Operands& of) { return of.a - of.b; }},
    Operation{"multiply", "op::multiply(a, b)", [](const Operands& of) { return of.a * of.b; }},
    Operation{"divide", "op::divide(a, b)", [](const Operands& of) { return of.a / of.b; }},
    Operation{"multiply, then add", "op::add(op::multiply(a, b), c)", [](const Operands& of) { return of.a * of.b + of.c; }},
    Operation{"multiply, then subtract", "op::subtract(c, op::multiply(a, b))",
              [](const Operands& of) { return of.c - of.a * of.b; }},
    Operation{"double to float", "static_cast<float>(static_cast<double>(a) * static_cast<double>(b))",
              [](const Operands& of) { return static_cast<float>(static_cast<double>(of.a) * static_cast<double>(of.b)); }},
};

/// Where sums, products and quotients meet the ends of what a float is.
std::vector<float> edges() {
  using Limits = std::numeric_limits<float>;
  std::vector<float> edges;
  for (const float value : {0.0f,
                            Limits::denorm_min(),
                            0x1.fffffcp-127f,
                            Limits::min(),
                            0x1.000002p-126f,
                            0x1.fffffep-126f,
                            0x1p-125f,
                            0x1p-63f,
                            0x1.000002p-63f,
                            0x1.fffffep-64f,
                            0x1p-24f,
                            0x1.8p-24f,
                            0x1p-23f,
                            0.5f,
                            0x1.fffffep-1f,
                            1.0f,
                            0x1.000002p0f,
                            0x1.555556p0f,
                            3.0f,
                            0x1.fffffep23f,
                            0x1p24f,
                            0x1p63f,
                            0x1.fffffep63f,
                            0x1p126f,
                            0x1.fffffep126f,
                            Limits::max(),
                            Limits::infinity()}) {
    edges.insert(edges.end(), {value, -value});
  }
  edges.push_back(Limits::quiet_NaN());
  return edges;
}

std::vector<Operands> cases(bool whole) {
  std::vector<Operands> cases;
  const std::vector<float> ends = edges();
  for (const float a : ends) {
    for (const float b : ends) {
      for (const float c : {0.0f, -a, 1.0f, -(a * b)}) cases.push_back({a, b, c});
    }
  }
  qfw::RandomStream random(1, 2, 3);
  const auto any = [&] { return std::bit_cast<float>(random.bits()); };
  const auto near_one = [&] { return std::bit_cast<float>(0x3f000000u + (random.bits() & 0xffffffu)); };
  for (int i = 0; i < (whole ? 1 << 20 : 1 << 12); ++i) {
    cases.push_back({any(), any(), any()});
    const float a = near_one(), b = near_one();
    cases.push_back({a, b, -(a * b)});                             // a contracted sum is the product's rounding error, not 0
    cases.push_back({a * 0x1p-63f, b * 0x1p-63f, 0x1p-126f * a});  // products on both sides of the smallest normal number
  }
  return cases;
}

/// The exact product is subnormal and rounds up to the smallest normal number: whether that is tiny, and so zero, a processor
/// may judge before it rounds or, as x86 does, afterwards.
bool is_tiny_before_rounding_only(const Operands& of) {
  const double product = std::abs(static_cast<double>(of.a) * static_cast<double>(of.b));
  return product < 0x1p-126 && product >= 0x1p-126 - 0x1p-151;
}

std::string words_of(const Operands& of) {
  return fmt::format("a = {}, b = {}, c = {}", text_of(of.a), text_of(of.b), text_of(of.c));
}

void compare(const Operation& operation, const std::vector<Operands>& cases, const float* found, Report& report) {
  const qfw::FlushDenormals flush;
  std::size_t wrong = 0;
  std::string first, expected_first;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (is_tiny_before_rounding_only(cases[i])) continue;
    const float expected = operation.host(cases[i]);
    if (result_bits(found[i]) == result_bits(expected)) continue;
    if (wrong++ > 0) continue;
    first = fmt::format("{} of {}", text_of(found[i]), words_of(cases[i]));
    expected_first = text_of(expected);
  }
  if (wrong == 0) return report.ok(operation.name, fmt::format("{} cases", cases.size()));
  report.wrong(operation.name, fmt::format("{} and {} more of {} cases", first, wrong - 1, cases.size()), expected_first);
}

}  // namespace

void check_operations(Device& device, const Effort& effort, Report& report) {
  std::string body =
      "const int i = thread_index();\n  if (i >= count) return;\n"
      "  const float a = from[3 * i], b = from[3 * i + 1], c = from[3 * i + 2];\n";
  for (std::size_t o = 0; o < operations.size(); ++o) {
    body += fmt::format("  to[{} * count + i] = {};\n", o, operations[o].code);
  }
  const auto kernel =
      load(device, qfw::cuda::kernel_source("check_operations", "float* to, const float* from, int count", body));

  std::vector<Operands> all = cases(effort.whole);
  const Operands judged{0x1.000002p-63f, 0x1.fffffcp-64f, 0};  // (1 + 2^-23) (1 - 2^-23) 2^-126
  all.push_back(judged);
  const auto count = static_cast<int>(all.size());
  const DeviceMemory from = on_device(device, all), to(device, all.size() * operations.size() * sizeof(float));
  qfw::cuda::launch(device, *kernel, qfw::cuda::one_thread_each(count, "operations"), to.data(), from.data(), count);
  const auto results = on_host<float>(device, to, all.size() * operations.size());
  for (std::size_t o = 0; o < operations.size(); ++o) compare(operations[o], all, &results[o * all.size()], report);

  const qfw::FlushDenormals flush;
  for (const std::size_t o : {2, 6}) {
    const std::string name = fmt::format("{}, tiny before it is rounded", operations[o].name);
    const float found = results[o * all.size() + all.size() - 1], expected = operations[o].host(judged);
    if (result_bits(found) == result_bits(expected)) {
      report.ok(name);
    } else {
      report.wrong(name, text_of(found), text_of(expected));
    }
  }
}

}  // namespace device_check
