#pragma once

#include <string>
#include <string_view>

namespace qfw::cpu {

/// Holds the project's own loops to the instructions that the environment holds oneDNN to (ONEDNN_MAX_CPU_ISA), as far as the
/// vectors' width goes, so that one variable caps the whole backend. For the process; does nothing where there is no cap, and
/// after the first time. A value that oneDNN does not know is told on standard error.
void follow_library_cap();

/// What is wrong with a value of such a variable, which oneDNN then ignores: that it knows no such instructions, and which it
/// knows. Empty for those, in any case of letters, and for an empty value.
std::string fault_of_cap(std::string_view variable, std::string_view value);

}  // namespace qfw::cpu
