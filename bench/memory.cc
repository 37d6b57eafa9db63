// Memory bandwidth, a ceiling of every pass that is not a convolution: GB/s of arrays that fit no cache, best of some rounds.
// bench_memory [THREADS] [MIB of an array] [ROUNDS]
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>

namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
template <class T>
using Array = std::unique_ptr<T, Free>;

template <class T>
Array<T> array_of(std::int64_t bytes) {
  return Array<T>(static_cast<T*>(std::aligned_alloc(4096, static_cast<std::size_t>(bytes))));
}

double best_seconds(int rounds, const std::function<void()>& f) {
  double best = 1e30;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

}  // namespace

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::atoi(arguments[1]) : omp_get_max_threads();
  const std::int64_t bytes = (count > 2 ? std::atoll(arguments[2]) : 256) << 20;
  const int rounds = count > 3 ? std::atoi(arguments[3]) : 7;
  if (threads < 1 || bytes < 1 || rounds < 1) {
    fmt::print(stderr, "bench_memory: threads, MiB and rounds are at least 1: bench_memory [THREADS] [MIB] [ROUNDS]\n");
    return 2;
  }
  const std::int64_t floats = bytes / 4, words = bytes / 8;
  const Array<float> a = array_of<float>(bytes), b = array_of<float>(bytes), c = array_of<float>(bytes);
  // Every thread first touches what it works on later.
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t i = 0; i < floats; ++i) {
    a.get()[i] = 0;
    b.get()[i] = 1;
    c.get()[i] = 2;
  }
  // Bits of floats read as words: sums of integers may be taken in any order, so the compiler can use vectors.
  const Array<std::uint64_t> source = array_of<std::uint64_t>(bytes);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (std::int64_t i = 0; i < words; ++i) source.get()[i] = static_cast<std::uint64_t>(i);

  std::uint64_t total = 0;
  const double read = best_seconds(rounds, [&] {
    std::uint64_t sum = 0;
    const std::uint64_t* x = source.get();
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : sum)
    for (std::int64_t i = 0; i < words; ++i) sum += x[i];
    total += sum;
  });
  const double triad = best_seconds(rounds, [&] {
    float* to = a.get();
    const float* x = b.get();
    const float* y = c.get();
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t i = 0; i < floats; ++i) to[i] = x[i] + 3.0f * y[i];
  });
  const auto expected = static_cast<std::uint64_t>(words) * static_cast<std::uint64_t>(words - 1) / 2;
  if (total != expected * static_cast<std::uint64_t>(rounds) || a.get()[floats - 1] != 7.0f) {
    fmt::print(stderr, "bench_memory: the sums are wrong\n");
    return 1;
  }
  const auto gigabytes = static_cast<double>(bytes) / 1e9;
  fmt::print("{{\"threads\": {}, \"read\": {:.2f}, \"triad\": {:.2f}}}\n", threads, gigabytes / read, 3 * gigabytes / triad);
}
