#include "cuda/random.h"

#include <gtest/gtest.h>

#include <cstring>

#include "host_device.h"
#include "qfw/random.h"

namespace qfw::cuda::test {
namespace {

const Makes made([](Device& device) { Loaded<RandomUniform>(device, TensorType{{4}, DType::f32}, 0, nullptr); });

std::vector<float> made_by(RandomUniform& kernel, std::int64_t count) {
  const Bytes bytes = run(kernel, {}, static_cast<std::size_t>(count) * 4);
  std::vector<float> numbers(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

TEST(RandomUniform, HasTheCoresBitsWhateverTheCount) {
  const device::RandomState state{.seed = 0xfedcba9876543210ull, .step = 123456789012345};
  const std::uint64_t stream = hash_of("stage1/dropout");
  for (const int multiprocessors : {1, 132}) {  // one: threads make several blocks of numbers
    for (const std::int64_t count : {0, 1, 3, 4, 5, 1023, 8192, 30001}) {
      HostDevice device(75, multiprocessors, emulated::Schedule::last_ahead);
      Loaded<RandomUniform> kernel(device, TensorType{{count}, DType::f32}, stream, reinterpret_cast<const std::byte*>(&state));
      const auto numbers = made_by(*kernel, count);
      for (std::int64_t i = 0; i < count; ++i) {
        ASSERT_EQ(numbers[static_cast<std::size_t>(i)], random_uniform_element(state.seed, state.step, stream, i)) << i;
      }
    }
  }
}

TEST(RandomUniform, ReadsSeedAndStepWhenItRuns) {
  device::RandomState state{.seed = 1, .step = 0};
  HostDevice device(75);
  Loaded<RandomUniform> kernel(device, TensorType{{10}, DType::f32}, 7, reinterpret_cast<const std::byte*>(&state));
  for (const long long step : {0LL, 1LL, 1LL << 40}) {
    for (const std::uint64_t seed : {1ull, 1ull << 63}) {
      state = {seed, step};
      EXPECT_EQ(made_by(*kernel, 10)[9], random_uniform_element(seed, step, 7, 9));
    }
  }
}

}  // namespace
}  // namespace qfw::cuda::test
