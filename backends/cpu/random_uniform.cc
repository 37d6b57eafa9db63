#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "random_uniform.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Blocks of four elements of qfw/random.h's random_uniform_element, from `first` on; one block a lane. Writes whole vectors:
/// returns how many blocks it made.
#if HWY_TARGET == HWY_SCALAR
std::int64_t random_blocks(std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, float*) { return 0; }
#else
std::int64_t random_blocks(std::uint64_t key, std::uint64_t step, std::int64_t first, std::int64_t blocks, float* to) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::RebindToFloat<decltype(d)> df;
  const hn::Repartition<std::uint64_t, decltype(d)> d64;
  using V = hn::Vec<decltype(d)>;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto high = [&](V a, V b) {
    const auto even = hn::MulEven(a, b);
    const auto odd = hn::MulEven(hn::BitCast(d, hn::ShiftRight<32>(hn::BitCast(d64, a))), b);
    return hn::OddEven(hn::BitCast(d, odd), hn::BitCast(d, hn::ShiftRight<32>(even)));
  };
  const V m0 = hn::Set(d, 0xd2511f53u), m1 = hn::Set(d, 0xcd9e8d57u);
  std::int64_t made = 0;
  for (; made + lanes <= blocks; made += lanes) {
    const auto low = static_cast<std::uint64_t>(first + made);
    V c0 = hn::Add(hn::Set(d, static_cast<std::uint32_t>(low)), hn::Iota(d, 0));
    // Where the low half wraps, the high one goes up by one.
    const V base = hn::Set(d, static_cast<std::uint32_t>(low >> 32));
    V c1 = hn::IfThenElse(hn::Lt(c0, hn::Set(d, static_cast<std::uint32_t>(low))), hn::Add(base, hn::Set(d, 1u)), base);
    V c2 = hn::Set(d, static_cast<std::uint32_t>(step)), c3 = hn::Set(d, static_cast<std::uint32_t>(step >> 32));
    std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const V high0 = high(c0, m0), low0 = hn::Mul(c0, m0), high1 = high(c2, m1), low1 = hn::Mul(c2, m1);
      c0 = hn::Xor(hn::Xor(high1, c1), hn::Set(d, k0));
      c1 = low1;
      c2 = hn::Xor(hn::Xor(high0, c3), hn::Set(d, k1));
      c3 = low0;
      k0 += 0x9e3779b9u;
      k1 += 0xbb67ae85u;
    }
    const hn::RebindToSigned<decltype(d)> di;
    const auto unit = hn::Set(df, 0x1p-24f);
    const auto number = [&](V word) { return hn::Mul(hn::ConvertTo(df, hn::BitCast(di, hn::ShiftRight<8>(word))), unit); };
    hn::StoreInterleaved4(number(c0), number(c1), number(c2), number(c3), df, to + made * 4);
  }
  return made;
}
#endif

}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>

#include "kernel.h"
#include "qfw/random.h"

namespace qfw::cpu {
namespace {

HWY_EXPORT(random_blocks);

std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

/// The core's function (core/src/graph/random.cc) does one element a call and throws three of each block's four words away;
/// this one must give the same bits, which the unit tests check.
class RandomUniform final : public Kernel {
 public:
  RandomUniform(std::int64_t count, std::uint64_t stream, int threads) : count_(count), stream_(stream), threads_(threads) {}

  const char* kind() const override { return "random"; }

  void run(Executable::Step step, std::span<const void* const>, std::span<void* const> outputs) override {
    auto* to = static_cast<float*>(outputs[0]);
    const std::uint64_t key = mix(step.seed ^ mix(stream_ ^ mix(2)));
    constexpr std::int64_t piece = 4096;  // elements
    const std::int64_t pieces = (count_ + piece - 1) / piece;
#pragma omp parallel for num_threads(threads_) schedule(static) if (pieces > 1)
    for (std::int64_t p = 0; p < pieces; ++p) {
      const std::int64_t first = p * piece, last = std::min(count_, first + piece);
      std::int64_t i = first + 4 * HWY_DYNAMIC_DISPATCH(random_blocks)(key, static_cast<std::uint64_t>(step.index), first / 4,
                                                                       (last - first) / 4, to + first);
      for (; i < last; ++i) to[i] = random_uniform_element(step.seed, step.index, stream_, i);
    }
  }

 private:
  std::int64_t count_;
  std::uint64_t stream_;
  int threads_;
};

}  // namespace

std::unique_ptr<Kernel> make_random_uniform(const Node& node, int threads) {
  return std::make_unique<RandomUniform>(node.outputs[0].shape.count(), node.as<Stream>().id, threads);
}

}  // namespace qfw::cpu

#endif
