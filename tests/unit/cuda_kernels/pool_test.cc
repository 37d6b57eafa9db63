#include "cuda/pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "host_device.h"

namespace qfw::cuda::test {
namespace {

struct Case {
  Shape x;
  Pool pool;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {{2, 8, 8, 16}, {}},
      {{1, 13, 12, 8}, {{3, 3}, {2, 2}, {{1, 1}, {1, 1}}}},
      {{2, 7, 9, 3}, {{3, 3}, {2, 2}, {{0, 0}, {1, 1}}}},
      {{1, 5, 6, 12}, {{3, 2}, {1, 1}, {{2, 1}, {1, 0}}}},
      {{1, 9, 9, 2}, {{2, 2}, {3, 3}, {{0, 0}, {0, 0}}}},
      {{1, 1, 1, 4}, {{1, 1}, {1, 1}, {}}},
      {{1, 2, 3, 5}, {{4, 4}, {1, 2}, {{3, 3}, {2, 1}}}},
      {{1, 18, 19, 2}, {{17, 17}, {1, 1}, {{1, 1}, {2, 2}}}},
      {{3, 6, 6, 40}, {{6, 6}, {6, 6}, {}}},
  };
  return all;
}

TensorType result_of(const Case& test, DType type) {
  const TensorType x{test.x, type};
  return definition(Op::max_pool).infer({&x, 1}, test.pool).front();
}

const Makes made([](Device& device) {
  for (const Case& test : cases()) {
    for (const DType type : {DType::f32, DType::bf16}) {
      Loaded<MaxPool>(device, TensorType{test.x, type}, result_of(test, type), test.pool);
      Loaded<MaxPoolGrad>(device, TensorType{test.x, type}, result_of(test, type), test.pool);
    }
  }
});

/// Few different numbers, so that most windows have several maxima; now and then zeros of both signs, a subnormal number, an
/// infinity or a NaN.
Bytes numbers(const TensorType& type, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(type.bytes());
  const float special[] = {0.0F,
                           -0.0F,
                           1e-40F,
                           std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN()};
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    float value = static_cast<float>(random() % 7) * 0.37F - 1.0F;
    if (random() % 16 == 0) value = special[random() % std::size(special)];
    if (type.dtype == DType::bf16) {
      const BFloat16 rounded(value);
      std::memcpy(bytes.data() + i * 2, &rounded, 2);
    } else {
      std::memcpy(bytes.data() + i * 4, &value, 4);
    }
  }
  return bytes;
}

class Pools : public testing::TestWithParam<std::tuple<DType, emulated::Schedule>> {
 protected:
  DType type = std::get<0>(GetParam());
  HostDevice device{75, 4, std::get<1>(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Types, Pools,
                         testing::Combine(testing::Values(DType::f32, DType::bf16), testing::ValuesIn(emulated::schedules)));

TEST_P(Pools, ForwardEqualsTheReference) {
  unsigned seed = 1;
  for (const Case& test : cases()) {
    const TensorType x{test.x, type};
    const Bytes inputs[] = {numbers(x, seed++)};
    Loaded<MaxPool> kernel(device, x, result_of(test, type), test.pool);
    const Bytes expected = reference(Op::max_pool, test.pool, {&x, 1}, inputs);
    EXPECT_TRUE(run(*kernel, inputs, expected.size()) == expected) << x.str() << " " << to_string(Attributes(test.pool));
  }
}

TEST_P(Pools, GradientEqualsTheReference) {
  unsigned seed = 100;
  for (const Case& test : cases()) {
    const TensorType types[] = {{test.x, type}, result_of(test, type)};
    const Bytes inputs[] = {numbers(types[0], seed), numbers(types[1], seed + 1)};
    seed += 2;
    Loaded<MaxPoolGrad> kernel(device, types[0], types[1], test.pool);
    const Bytes expected = reference(Op::max_pool_grad, test.pool, types, inputs);
    EXPECT_TRUE(run(*kernel, inputs, expected.size()) == expected) << types[0].str() << " " << to_string(Attributes(test.pool));
  }
}

TEST(MaxPoolGrad, MayOverwriteItsFirstOperand) {
  const Case& test = cases()[1];
  const TensorType types[] = {{test.x, DType::f32}, result_of(test, DType::f32)};
  const Bytes inputs[] = {numbers(types[0], 1), numbers(types[1], 2)};
  HostDevice device(90);
  Loaded<MaxPoolGrad> kernel(device, types[0], types[1], test.pool);
  ASSERT_TRUE(kernel->in_place(0, 0) && !kernel->in_place(1, 0));
  const Guarded x(inputs[0]), gradient(inputs[1]), scratch(kernel->scratch_bytes());
  const std::byte* const addresses[] = {x.data(), gradient.data()};
  const Address to = x.data();
  kernel->enqueue(addresses, {&to, 1}, scratch.data());
  EXPECT_TRUE(x.bytes() == reference(Op::max_pool_grad, test.pool, types, inputs));
}

}  // namespace
}  // namespace qfw::cuda::test
