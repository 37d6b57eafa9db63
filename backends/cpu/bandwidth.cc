#include "bandwidth.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "pages.h"
#include "threads.h"

namespace qfw::cpu {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::size_t bytes_beyond_caches() {
  constexpr std::size_t least = std::size_t{64} << 20, most = std::size_t{128} << 20;
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return std::clamp(cache > 0 ? static_cast<std::size_t>(cache) / least * least : least, least, most);
}

/// Seconds of the best round. A neighbour that comes and goes changes little.
template <class Round>
double best_of_rounds(const Round& round) {
  double best = 1e30;
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < 3 || seconds_since(begin) < 0.05; ++i) {
    const Clock::time_point start = Clock::now();
    round();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

}  // namespace

double measure_bandwidth(int threads) {
  const ThreadScope scope(threads);
  const std::size_t bytes = bytes_beyond_caches();
  const Pages first(bytes), second(bytes), third(bytes);
  const auto count = static_cast<std::int64_t>(bytes / sizeof(float)),
             words = static_cast<std::int64_t>(bytes / sizeof(std::uint64_t));
  auto* const to = reinterpret_cast<float*>(third.data());
  const auto* const x = reinterpret_cast<const float*>(first.data());
  const auto* const y = reinterpret_cast<const float*>(second.data());
  // Pages that nothing was written to are all the same one, which the cache holds.
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t i = 0; i < count; ++i) {
    reinterpret_cast<float*>(first.data())[i] = 1;
    reinterpret_cast<float*>(second.data())[i] = 2;
    to[i] = 0;
  }
  const double mixed = best_of_rounds([&] {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t i = 0; i < count; ++i) to[i] = x[i] + 3.0f * y[i];
  });
  // As words: the compiler may take their sum in vectors.
  const auto* const bits = reinterpret_cast<const std::uint64_t*>(first.data());
  std::uint64_t total = 0;
  const double reading = best_of_rounds([&] {
    std::uint64_t sum = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : sum)
    for (std::int64_t i = 0; i < words; ++i) sum += bits[i];
    total += sum;
  });
  [[maybe_unused]] const volatile std::uint64_t kept = total;
  const auto all = static_cast<double>(bytes);
  return std::max(all / reading, 3 * all / mixed);
}

}  // namespace qfw::cpu
