#include "instruction_cap.h"

#include <fmt/ranges.h>
#include <hwy/targets.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <dnnl.hpp>
#include <iostream>
#include <vector>

namespace qfw::cpu {
namespace {

using namespace std::string_view_literals;

/// Those that the library at hand knows, as it spells them, the fewest instructions first.
std::vector<std::string> known_caps() {
  constexpr std::string_view prefix = "cpu_isa_";
  constexpr unsigned all_bits = 0xffff;
  std::vector<std::string> names;
  for (unsigned bits = 0; bits <= all_bits; ++bits) {
    const std::string_view name = dnnl_cpu_isa2str(static_cast<dnnl_cpu_isa_t>(bits));
    if (name.starts_with(prefix)) names.emplace_back(name.substr(prefix.size()));
  }
  return names;
}

/// Older spellings, which newer releases still take, though they tell others.
constexpr std::array older_caps = {"avx512_core_fp16"sv, "avx512_core_amx"sv, "avx512_core_amx_fp16"sv};

std::string in_case(std::string_view text, int (*letter)(int)) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [&](char c) { return static_cast<char>(letter(static_cast<unsigned char>(c))); });
  return result;
}

/// The library reads the second variable where the first is empty.
void say_if_cap_is_unknown() {
  for (const char* variable : {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    if (const std::string fault = fault_of_cap(variable, value); !fault.empty())
      std::clog << "[warning] " << fault << std::endl;
    return;
  }
}

std::int64_t capped_targets() {
  const auto allowed = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto lacks = [allowed](unsigned isa) { return (allowed & isa) != isa; };
  std::int64_t targets = hwy::SupportedTargets();
#if HWY_ARCH_X86
  if (lacks(dnnl_cpu_isa_avx512_core)) targets &= ~(HWY_AVX3 - 1 + HWY_AVX3);
  if (lacks(dnnl_cpu_isa_avx2)) targets &= ~(HWY_AVX2 - 1 + HWY_AVX2);
#endif
  return targets;
}

bool cap() {
#if HWY_ARCH_X86
  say_if_cap_is_unknown();
#endif
  const std::int64_t targets = capped_targets();
  const bool lower = targets != hwy::SupportedTargets();
  if (lower) hwy::SetSupportedTargetsForTest(targets);  // the only function there is for it
  return lower;
}

}  // namespace

std::string fault_of_cap(std::string_view variable, std::string_view value) {
  const std::vector<std::string> known = known_caps();
  const std::string asked = in_case(value, std::tolower);
  if (asked.empty() || std::ranges::find(known, asked) != known.end() ||
      std::ranges::find(older_caps, asked) != older_caps.end())
    return {};
  return fmt::format("{} is \"{}\", which oneDNN does not know and ignores; expected {}", variable, value,
                     in_case(fmt::format("{}", fmt::join(known, ", ")), std::toupper));
}

void follow_library_cap() { [[maybe_unused]] static const bool capped = cap(); }

}  // namespace qfw::cpu
