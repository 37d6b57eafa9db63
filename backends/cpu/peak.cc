#include "peak.h"

#include <sched.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <thread>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "peak.cc"
// The same in all files: what is chosen once holds for all.
#define HWY_DISABLED_TARGETS HWY_AVX3_DL
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int chains = 12;  // hides the latency of two units of four cycles, and leaves registers for the operands

/// Twelve chains by name, as not every vector can be in an array; each begins elsewhere, or the compiler would see they are
/// one.
void multiply_add(std::int64_t repetitions, float* result) {
  const hn::ScalableTag<float> d;
  const auto factor = hn::Set(d, 0.99f), term = hn::Set(d, 0.01f);
  auto a = hn::Set(d, 2.0f);
  auto b = hn::Set(d, 3.0f);
  auto c = hn::Set(d, 4.0f);
  auto e = hn::Set(d, 5.0f);
  auto f = hn::Set(d, 6.0f);
  auto g = hn::Set(d, 7.0f);
  auto h = hn::Set(d, 8.0f);
  auto i = hn::Set(d, 9.0f);
  auto j = hn::Set(d, 10.0f);
  auto k = hn::Set(d, 11.0f);
  auto l = hn::Set(d, 12.0f);
  auto m = hn::Set(d, 13.0f);
  for (std::int64_t n = 0; n < repetitions; ++n) {
    a = hn::MulAdd(a, factor, term);
    b = hn::MulAdd(b, factor, term);
    c = hn::MulAdd(c, factor, term);
    e = hn::MulAdd(e, factor, term);
    f = hn::MulAdd(f, factor, term);
    g = hn::MulAdd(g, factor, term);
    h = hn::MulAdd(h, factor, term);
    i = hn::MulAdd(i, factor, term);
    j = hn::MulAdd(j, factor, term);
    k = hn::MulAdd(k, factor, term);
    l = hn::MulAdd(l, factor, term);
    m = hn::MulAdd(m, factor, term);
  }
  const auto first = hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(f, g));
  const auto second = hn::Add(hn::Add(hn::Add(h, i), hn::Add(j, k)), hn::Add(l, m));
  *result = hn::GetLane(hn::Add(first, second));
}

peak::Loop floats() { return {&multiply_add, chains * static_cast<double>(hn::Lanes(hn::ScalableTag<float>()))}; }

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace qfw::cpu {

HWY_EXPORT(floats);

peak::Loop peak::floats() { return HWY_DYNAMIC_DISPATCH(floats)(); }

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Multiplications a second in the best of the rounds of a hundredth of a second. A round takes about a tenth of a
/// millisecond: most of them pass between two interruptions by others.
double best_of_rounds(const peak::Loop& loop) {
  constexpr std::int64_t repetitions = 1 << 15;
  float result = 0;
  double best = 0;
  const auto begin = Clock::now();
  for (int round = 0; round < 5 || seconds_since(begin) < 0.01; ++round) {
    const auto start = Clock::now();
    loop.run(repetitions, &result);
    best = std::max(best, static_cast<double>(repetitions) * loop.multiplications / seconds_since(start));
  }
  [[maybe_unused]] const volatile float kept = result;
  return best;
}

/// How much of a processor each of so many threads has at most.
double share_of_processor(int threads) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return std::min(1.0, static_cast<double>(CPU_COUNT(&allowed)) / threads);
}

}  // namespace

Backend::Peak measure_peak(int threads) {
  const peak::Loop loops[] = {peak::floats(), peak::bfloats(), peak::integers()};
  std::vector<Backend::Peak> of_thread(static_cast<std::size_t>(threads));
  std::barrier together(threads);  // hardware threads of one core share its units, as they do in a step
  const auto measure = [&](Backend::Peak& peak) {
    double* const values[] = {&peak.f32, &peak.bf16, &peak.integer};
    for (std::size_t i = 0; i < std::size(loops); ++i) {
      together.arrive_and_wait();
      if (loops[i].run != nullptr) *values[i] = best_of_rounds(loops[i]);
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < of_thread.size(); ++i) others.emplace_back([&, i] { measure(of_thread[i]); });
    measure(of_thread.front());
  }
  Backend::Peak sum;
  const double share = share_of_processor(threads);
  for (const Backend::Peak& each : of_thread) {
    sum.f32 += share * each.f32;
    sum.bf16 += share * each.bf16;
    sum.integer += share * each.integer;
  }
  return sum;
}

}  // namespace qfw::cpu
#endif  // HWY_ONCE
