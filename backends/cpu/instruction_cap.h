#pragma once

namespace qfw::cpu {

/// Holds the project's own loops to the instructions that the environment holds oneDNN to (ONEDNN_MAX_CPU_ISA), as far as the
/// vectors' width goes, so that one variable caps the whole backend. For the process; does nothing where there is no cap, and
/// after the first time.
void follow_library_cap();

}  // namespace qfw::cpu
