#include "cuda/moves.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "host_device.h"

namespace qfw::cuda::test {
namespace {

struct Swap {
  Shape shape;
  std::array<int, 2> axes;
};
const std::vector<Swap>& swaps() {
  static const std::vector<Swap> all{
      {{33, 70}, {0, 1}},     {{8, 8}, {1, 0}},          {{5, 3}, {0, 1}},
      {{1, 9}, {0, 1}},       {{4, 4}, {1, 1}},          {{3, 40, 35}, {1, 2}},
      {{40, 3, 35}, {0, 2}},  {{9, 10, 2}, {0, 1}},      {{9, 10, 4}, {0, 1}},
      {{16, 9, 16}, {0, 1}},  {{7, 6, 5, 3}, {0, 2}},    {{2, 11, 3, 12, 8}, {1, 3}},
      {{3, 2, 4, 1}, {0, 3}}, {{0, 4}, {0, 1}},          {{2, 3, 4, 5, 6, 7}, {1, 4}},
      {{64, 96}, {0, 1}},     {{21, 40, 9, 35}, {1, 3}},
  };
  return all;
}

struct Stretch {
  Shape from, to;
};
const std::vector<Stretch>& stretches() {
  static const std::vector<Stretch> all{
      {{}, {3, 5}},
      {{}, {64}},
      {{7}, {5, 7}},
      {{8}, {5, 8}},
      {{5, 1}, {5, 12}},
      {{5, 1}, {5, 7}},
      {{3, 1, 16}, {3, 4, 16}},
      {{1, 4, 1, 6}, {2, 4, 3, 6}},
      {{2, 1, 3, 1, 5, 1}, {2, 3, 3, 2, 5, 16}},
      {{1, 2, 1, 2, 1, 3}, {3, 2, 5, 2, 2, 3}},
      {{6, 4}, {1, 6, 4}},
      {{1, 1}, {2, 0}},
      {{1, 1, 1, 20}, {2, 3, 3, 20}},
  };
  return all;
}

constexpr DType types[] = {DType::u8, DType::s8, DType::bf16, DType::f32, DType::s32};

const Makes made([](Device& device) {
  for (const DType type : types) {
    for (const Swap& swap : swaps()) Loaded<Transpose>(device, TensorType{swap.shape, type}, swap.axes);
    for (const Stretch& stretch : stretches()) Loaded<Broadcast>(device, TensorType{stretch.from, type}, stretch.to);
  }
});

class Moves : public testing::TestWithParam<emulated::Schedule> {
 protected:
  HostDevice device{75, 4, GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Schedules, Moves, testing::ValuesIn(emulated::schedules));

TEST_P(Moves, TransposeEqualsTheReference) {
  for (const DType dtype : types) {
    for (const Swap& swap : swaps()) {
      const TensorType type{swap.shape, dtype};
      const Bytes inputs[] = {random_codes(type.bytes(), 1)};
      Loaded<Transpose> kernel(device, type, swap.axes);
      EXPECT_TRUE(run(*kernel, inputs, type.bytes()) == reference(Op::transpose, Axes{swap.axes}, {&type, 1}, inputs))
          << type.str() << " axes " << swap.axes[0] << " and " << swap.axes[1] << ": " << kernel->implementation();
    }
  }
}

TEST_P(Moves, BroadcastEqualsTheReference) {
  for (const DType dtype : types) {
    for (const Stretch& stretch : stretches()) {
      const TensorType type{stretch.from, dtype};
      const Bytes inputs[] = {random_codes(type.bytes(), 1)};
      Loaded<Broadcast> kernel(device, type, stretch.to);
      const Bytes expected = reference(Op::broadcast_to, stretch.to, {&type, 1}, inputs);
      EXPECT_TRUE(run(*kernel, inputs, expected.size()) == expected)
          << type.str() << " to " << stretch.to.str() << ": " << kernel->implementation();
    }
  }
}

TEST(Transpose, TakesTilesWhereNeighboursChange) {
  HostDevice device(75);
  const auto way = [&](const Shape& shape, std::array<int, 2> axes, DType type) {
    return Loaded<Transpose>(device, TensorType{shape, type}, axes)->implementation();
  };
  EXPECT_EQ(way({64, 96}, {0, 1}, DType::s8), "tiles of 32x32 times 1 bytes");
  EXPECT_EQ(way({9, 10, 2}, {0, 1}, DType::bf16), "tiles of 32x32 times 4 bytes");
  EXPECT_EQ(way({5, 3}, {0, 1}, DType::f32), "4 bytes a thread");
  EXPECT_EQ(way({16, 9, 16}, {0, 1}, DType::f32), "16 bytes a thread");
  EXPECT_EQ(way({1, 9}, {0, 1}, DType::f32), "copy");
}

TEST(Broadcast, MovesWhatLiesTogetherAtOnce) {
  HostDevice device(75);
  const auto way = [&](const Shape& from, const Shape& to, DType type) {
    return Loaded<Broadcast>(device, TensorType{from, type}, to)->implementation();
  };
  EXPECT_EQ(way({1, 1, 1, 20}, {2, 3, 3, 20}, DType::f32), "16 bytes a thread");
  EXPECT_EQ(way({5, 1}, {5, 12}, DType::bf16), "one of 2 bytes, 4 times a thread");
  EXPECT_EQ(way({6, 4}, {1, 6, 4}, DType::f32), "copy");
}

}  // namespace
}  // namespace qfw::cuda::test
