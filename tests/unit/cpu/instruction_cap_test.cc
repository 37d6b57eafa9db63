#include "instruction_cap.h"

#include <gmock/gmock.h>

namespace qfw::cpu {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(InstructionCap, IsAFaultWhereTheLibraryDoesNotKnowTheName) {
  for (const char* known : {"", "DEFAULT", "SSE41", "avx2", "Avx512_Core", "AVX512_CORE_BF16", "AVX512_CORE_AMX_FP16"}) {
    EXPECT_THAT(fault_of_cap("ONEDNN_MAX_CPU_ISA", known), IsEmpty()) << known;
  }
  for (const char* unknown : {"AVX22", "AVX512", " AVX2", "sse4.1", "cpu_isa_avx2"}) {
    EXPECT_THAT(fault_of_cap("ONEDNN_MAX_CPU_ISA", unknown),
                AllOf(StartsWith("ONEDNN_MAX_CPU_ISA is \"" + std::string(unknown) + "\", which oneDNN does not know"),
                      HasSubstr("; expected DEFAULT, SSE41, AVX, AVX2, "), HasSubstr(", AVX512_CORE, ")));
  }
}

}  // namespace
}  // namespace qfw::cpu
