#include "host_code.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace {

using emulated::HostCode;
using emulated::Schedule;
using qfw::cuda::KernelSource;
using qfw::cuda::LaunchShape;

/// Runs the one kernel of `text`, called `k`, on ints.
std::vector<int> run(const std::string& text, const LaunchShape& shape, std::size_t count, Schedule schedule) {
  const std::vector<KernelSource> sources{{"k", text}};
  const HostCode code = HostCode::compile("", sources);
  std::vector<int> values(count, -1);
  int* pointer = values.data();
  void* arguments[] = {&pointer};
  emulated::run_grid(code, code.kernel("k"), shape, arguments, schedule);
  return values;
}

class HostCodeOf : public testing::TestWithParam<Schedule> {};
INSTANTIATE_TEST_SUITE_P(Schedules, HostCodeOf, testing::ValuesIn(emulated::schedules));

TEST_P(HostCodeOf, EveryThreadOfEveryBlockRunsOnce) {
  const std::string text = R"(extern "C" __global__ void k(int* to) {
    const int thread = threadIdx.x + 4 * threadIdx.y, block = blockIdx.x + 3 * blockIdx.y;
    ++to[block * 8 + thread];
  })";
  const auto counts = run(text, {.grid = {3, 2, 1}, .block = {4, 2, 1}}, 48, GetParam());
  EXPECT_THAT(counts, testing::Each(0));
}

TEST_P(HostCodeOf, BarriersMakeSharedMemoryVisible) {
  const std::string text = R"(extern "C" __global__ void k(int* to) {
    __shared__ int part[96];
    part[threadIdx.x] = threadIdx.x;
    __syncthreads();
    for (int half = 48; half >= 3; half /= 2) {
      if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
      __syncthreads();
    }
    if (threadIdx.x == 0) to[blockIdx.x] = part[0] + part[1] + part[2];
  })";
  EXPECT_THAT(run(text, {.grid = {2, 1, 1}, .block = {96, 1, 1}, .barriers = true}, 2, GetParam()), testing::Each(95 * 96 / 2));
}

TEST_P(HostCodeOf, LanesOfAWarpExchangeValues) {
  const std::string text = R"(extern "C" __global__ void k(int* to) {
    int sum = threadIdx.x;
    for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(~0u, sum, mask);
    to[threadIdx.x] = sum;
  })";
  const auto sums = run(text, {.block = {64, 1, 1}, .barriers = true}, 64, GetParam());
  for (int i = 0; i < 64; ++i) EXPECT_EQ(sums[i], i < 32 ? 496 : 496 + 1024);
}

TEST_P(HostCodeOf, ThreadsThatEndedAreNotWaitedFor) {
  const std::string text = R"(extern "C" __global__ void k(int* to) {
    if (threadIdx.x >= 40) return;
    __syncthreads();
    to[threadIdx.x] = 1;
  })";
  EXPECT_THAT(run(text, {.block = {64, 1, 1}, .barriers = true}, 40, GetParam()), testing::Each(1));
}

TEST_P(HostCodeOf, DifferentBarriersAreAnError) {
  const std::string text = R"(extern "C" __global__ void k(int* to) {
    if (threadIdx.x == 0) __syncthreads(); else __syncwarp();
  })";
  EXPECT_ANY_THROW(run(text, {.block = {32, 1, 1}, .barriers = true}, 1, GetParam()));
}

TEST_P(HostCodeOf, ABarrierThatTheShapeDoesNotTellIsAnError) {
  EXPECT_ANY_THROW(run(R"(extern "C" __global__ void k(int*) { __syncthreads(); })", {.block = {32, 1, 1}}, 1, GetParam()));
}

TEST(HostCode, AMissingBarrierShowsInOneOfTheSchedules) {
  const std::string text = R"(extern "C" __global__ void k(int* to) {
    __shared__ int part[64];
    part[threadIdx.x] = blockIdx.x + 1;
    to[blockIdx.x * 64 + threadIdx.x] = part[63 - threadIdx.x];
  })";
  bool shown = false;
  for (const Schedule schedule : emulated::schedules) {
    const auto found = run(text, {.grid = {2, 1, 1}, .block = {64, 1, 1}, .barriers = true}, 128, schedule);
    for (int i = 0; i < 128; ++i) shown = shown || found[i] != i / 64 + 1;
  }
  EXPECT_TRUE(shown);
}

TEST(HostCode, AMissingBarrierWithinAWarpShowsWhicheverLaneItIsThatReads) {
  for (const char* const read : {"threadIdx.x / 2 * 2", "threadIdx.x / 2 * 2 + 1"}) {
    const std::string text = std::string(R"(extern "C" __global__ void k(int* to) {
    __shared__ int part[32];
    part[threadIdx.x] = blockIdx.x + 1;
    to[blockIdx.x * 32 + threadIdx.x] = part[)") +
                             read + "];\n}";
    bool shown = false;
    for (const Schedule schedule : emulated::schedules) {
      const auto found = run(text, {.grid = {2, 1, 1}, .block = {32, 1, 1}, .barriers = true}, 64, schedule);
      for (int i = 0; i < 64; ++i) shown = shown || found[i] != i / 32 + 1;
    }
    EXPECT_TRUE(shown) << read;
  }
}

TEST_P(HostCodeOf, AnAccessThatIsNotAlignedIsAnError) {
  const std::string text = R"(struct alignas(8) Pair { int v[2]; };
  extern "C" __global__ void k(int* to) {
    *reinterpret_cast<Pair*>(to + AT) = {};
    __syncthreads();
  })";
  const auto run_at = [&](const char* at) {
    std::string own = text;
    own.replace(own.find("AT"), 2, at);
    return run(own, {.block = {32, 1, 1}, .barriers = true}, 4, GetParam());
  };
  EXPECT_THAT(run_at("2"), testing::ElementsAre(-1, -1, 0, 0));
  EXPECT_ANY_THROW(run_at("1"));
}

TEST(HostCode, SubnormalsAreFlushedAndNothingIsContracted) {
  const std::string text = R"(extern "C" __global__ void k(int* to) {
    volatile float least = __uint_as_float(0x00800000u), a = __uint_as_float(0x3f800001u), b = -a * a;
    to[0] = __float_as_uint(least * 0.5f);
    to[1] = a * a + b == 0.0f;
  })";
  EXPECT_THAT(run(text, {}, 2, Schedule::in_step), testing::ElementsAre(0, 1));
}

TEST(HostCode, WhatDoesNotCompileIsTold) {
  try {
    run("extern \"C\" __global__ void k(int*) { nonsense; }", {}, 1, Schedule::in_step);
    FAIL();
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("nonsense"));
  }
}

}  // namespace
