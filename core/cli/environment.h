#pragma once

namespace qfw {

/// Threads that wait for others at the end of a parallel loop give their processor up after some microseconds, as if
/// GOMP_SPINCOUNT (GCC's OpenMP) and KMP_BLOCKTIME (LLVM's) said so; the defaults are some milliseconds and 200 of them, which
/// on a processor that another process wants are lost for both. What the user set of the kind stands. To be called before any
/// thread is started or library opened.
void bound_spinning();

/// Warns of variables QFW_... that are spelt nearly as one that qfw reads, and of words of QFW_DUMP that nothing here prints.
void check_environment();

}  // namespace qfw
