#pragma once

#include <cstdint>
#include <functional>

namespace qfw {

/// Runs work(0), ..., work(count - 1) on so many threads, the caller's among them. The error of the lowest index is thrown
/// again when all are done.
void parallel_for(int threads, std::int64_t count, const std::function<void(std::int64_t)>& work);

}  // namespace qfw
