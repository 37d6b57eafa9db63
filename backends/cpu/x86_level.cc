#include "x86_level.h"

#include <hwy/targets.h>
#if defined(QFW_CPU_X86_CODE)
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xbyak/xbyak_util.h>
#endif

namespace qfw::cpu::x86 {

#if defined(QFW_CPU_X86_CODE)
bool has_level(Level level) {
  static const Xbyak::util::Cpu cpu;
  using Cpu = Xbyak::util::Cpu;
  const std::int64_t allowed = hwy::SupportedTargets();
  switch (level) {
    case Level::avx2:
      return cpu.has(Cpu::tAVX2) && (allowed & HWY_AVX2) != 0;
    case Level::avx512:
      return cpu.has(Cpu::tAVX512F) && cpu.has(Cpu::tAVX512BW) && cpu.has(Cpu::tAVX512DQ) && cpu.has(Cpu::tAVX512VL) &&
             (allowed & HWY_AVX3) != 0;
    case Level::avx512_bf16:
      return has_level(Level::avx512) && cpu.has(Cpu::tAVX512_BF16);
    case Level::avx512_vnni:
      return has_level(Level::avx512) && cpu.has(Cpu::tAVX512_VNNI);
  }
  return false;
}

bool has_amx() {
#if defined(ARCH_REQ_XCOMP_PERM)
  constexpr int tile_data = 18;  // the component of the processor's state, XTILEDATA
  static const bool granted =
      Xbyak::util::Cpu().has(Xbyak::util::Cpu::tAMX_TILE) && syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, tile_data) == 0;
  return has_level(Level::avx512_bf16) && granted;
#else
  return false;
#endif
}
#else
bool has_level(Level) { return false; }
bool has_amx() { return false; }
#endif

std::vector<Level> levels() {
  std::vector<Level> all;
  for (const Level level : {Level::avx512_bf16, Level::avx512, Level::avx2}) {
    if (has_level(level)) all.push_back(level);
  }
  return all;
}

std::string name_of(Level level) {
  switch (level) {
    case Level::avx2:
      return "avx2";
    case Level::avx512:
      return "avx512";
    case Level::avx512_bf16:
      return "avx512_bf16";
    case Level::avx512_vnni:
      return "avx512_vnni";
  }
  return "";
}

}  // namespace qfw::cpu::x86
