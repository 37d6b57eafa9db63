#pragma once

namespace qfw::cpu {

/// Bytes a second between so many threads and memory beyond the caches, at best: the faster of reading alone and of two arrays
/// read while a third is written. Each is longer than the last-level cache, up to 128 MiB.
double measure_bandwidth(int threads);

}  // namespace qfw::cpu
