#include <cpuid.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "parity/integers/extremes.h"
#include "parity/integers/network.h"
#include "support/files.h"

namespace qfw::parity {
namespace {

/// What both libraries can be capped to. A cap above the processor's own level changes nothing, so such levels are left out.
struct Level {
  const char* library;   ///< ONEDNN_MAX_CPU_ISA
  std::int64_t targets;  ///< of Highway, those below included
  const char* own;       ///< what the backend then says that its own kernels use
  bool (*here)();
};

/// clang 15 does not know it by name.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") != 0 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}

// What the compiler takes for granted: SCALAR, EMU128 or SSE2, by Highway's version.
constexpr std::int64_t least = HWY_STATIC_TARGET, ssse3 = HWY_SSSE3 | least, sse4 = HWY_SSE4 | ssse3, avx2 = HWY_AVX2 | sse4,
                       avx3 = HWY_AVX3 | avx2, all_targets = ~std::int64_t{0};

const Level levels[] = {
    {"SSE41", least, hwy::TargetName(least), [] { return true; }},
    {"SSE41", ssse3, "SSSE3", [] { return __builtin_cpu_supports("ssse3") != 0; }},
    {"SSE41", sse4, "SSE4", [] { return __builtin_cpu_supports("sse4.1") != 0; }},
    {"AVX", sse4, "SSE4", [] { return __builtin_cpu_supports("avx") != 0; }},
    {"AVX2", avx2, "AVX2", [] { return __builtin_cpu_supports("avx2") != 0; }},
    {"AVX2_VNNI", avx2, "AVX2", has_avx_vnni},
    {"AVX512_CORE", avx3, "AVX3", [] { return __builtin_cpu_supports("avx512bw") != 0; }},
    {"AVX512_CORE_VNNI", avx3, "AVX3", [] { return __builtin_cpu_supports("avx512vnni") != 0; }},
    {"AVX512_CORE_BF16", avx3, "AVX3", [] { return __builtin_cpu_supports("avx512bf16") != 0; }},
    {"DEFAULT", all_targets, "", [] { return true; }},
};

/// Nothing is proven by logits that saturated, or that do not depend on the image.
void expect_telling(const std::vector<float>& logits, std::int64_t images) {
  const std::set<float> different(logits.begin(), logits.end());
  EXPECT_GT(different.size(), logits.size() / 2);
  EXPECT_TRUE(std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }));
  const std::size_t classes = logits.size() / static_cast<std::size_t>(images);
  EXPECT_FALSE(std::equal(logits.begin(), logits.begin() + static_cast<std::ptrdiff_t>(classes),
                          logits.begin() + static_cast<std::ptrdiff_t>(classes)));
}

::testing::AssertionResult same_bits(const std::vector<float>& expected, const std::vector<float>& found) {
  if (expected.size() != found.size())
    return ::testing::AssertionFailure() << found.size() << " values, not " << expected.size();
  std::size_t different = 0, first = 0;
  for (std::size_t i = expected.size(); i-- > 0;) {
    if (std::bit_cast<std::uint32_t>(expected[i]) == std::bit_cast<std::uint32_t>(found[i])) continue;
    ++different, first = i;
  }
  if (different == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << fmt::format("{} of {} values differ, the first is {}: {}, not {}", different,
                                                      expected.size(), first, found[first], expected[first]);
}

/// Of a process of its own.
std::vector<float> at_level(const Level& level, const std::string& what, int threads) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "values", says = folder.path() / "says";
  const std::string command = fmt::format(
      "ONEDNN_MAX_CPU_ISA={0} DNNL_MAX_CPU_ISA={0} OMP_WAIT_POLICY=passive {1}/tests/bin/logits_at_level {2} {3} {4} {5} > {6} "
      "2>&1",
      level.library, QFW_BINARY_DIR, what, threads, level.targets, file.string(), says.string());
  const int status = std::system(command.c_str());
  std::ifstream stream(says);
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  if (status != 0) {
    ADD_FAILURE() << command << " ended with " << status << ": " << text;
    return {};
  }
  fmt::print("  {} {}", level.library, text);
  EXPECT_THAT(text, ::testing::HasSubstr(fmt::format("own kernels {}", level.own)));
  return load(file);
}

class Logits : public ::testing::TestWithParam<std::string> {};

TEST_P(Logits, AreTheSameBitsOnEveryBackendThreadCountAndInstructionSet) {
  const Network& tested = network(GetParam());
  const auto reference = session_of(tested, "reference", 1);
  for (const QuantizedSite& site : reference->evaluation(reference->total_steps()).graph.sites) {
    EXPECT_TRUE(site.integer) << site.path << ": " << site.reason;
  }
  const std::vector<float> expected = logits_of(tested, *reference);
  expect_telling(expected, tested.images);
  for (const int threads : {1, 2, 3}) {
    EXPECT_TRUE(same_bits(expected, logits_of(tested, "cpu", threads))) << threads << " threads";
  }
  for (const Level& level : levels) {
    if (!level.here()) continue;
    EXPECT_TRUE(same_bits(expected, at_level(level, tested.name, 2))) << level.library << ", targets " << level.targets;
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const Network& network : networks()) all.push_back(network.name);
  return all;
}
INSTANTIATE_TEST_SUITE_P(Network, Logits, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

/// Two products of 255 and 127 do not fit 16 bits, where SSSE3 and AVX2 add them.
TEST(Extremes, DoNotSaturateAtAnyLevel) {
  const std::vector<float> expected = expected_extreme_sums();
  EXPECT_TRUE(same_bits(expected, extreme_sums("reference")));
  EXPECT_TRUE(same_bits(expected, extreme_sums("cpu")));
  for (const Level& level : levels) {
    if (!level.here()) continue;
    EXPECT_TRUE(same_bits(expected, at_level(level, "extremes", 2))) << level.library << ", targets " << level.targets;
  }
}

}  // namespace
}  // namespace qfw::parity
