#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace qfw::cpu::x86 {

/// Instruction sets that the project writes code for itself, beside what Highway's loops choose among.
enum class Level : std::uint8_t { avx2, avx512, avx512_bf16, avx512_vnni };

/// Whether this processor has it, and Highway's loops are not kept from using its like (tests cap them).
bool has_level(Level level);

/// Whether it has tiles (AMX), beside AVX512_BF16, and the system lets this process use them, which is asked for here.
bool has_amx();

/// Those of floats that this processor has, the best first.
std::vector<Level> levels();

std::string name_of(Level level);

}  // namespace qfw::cpu::x86
