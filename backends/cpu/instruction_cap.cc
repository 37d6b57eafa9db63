#include "instruction_cap.h"

#include <hwy/targets.h>

#include <dnnl.hpp>

namespace qfw::cpu {
namespace {

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
  const std::int64_t targets = capped_targets();
  const bool lower = targets != hwy::SupportedTargets();
  if (lower) hwy::SetSupportedTargetsForTest(targets);  // the only function there is for it
  return lower;
}

}  // namespace

void follow_library_cap() { [[maybe_unused]] static const bool capped = cap(); }

}  // namespace qfw::cpu
