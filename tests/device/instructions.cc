// Instructions that are written as PTX (cuda/code/warp.cuh), against their definitions in its manual.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "checks.h"
#include "cuda/launch.h"
#include "qfw/random.h"
#include "transfer.h"

namespace device_check {
namespace {

using qfw::cuda::KernelSource;
using qfw::cuda::LaunchShape;
using Bytes = std::vector<std::uint8_t>;

Bytes random_bytes(std::size_t count, std::uint64_t stream) {
  qfw::RandomStream random(7, stream);
  Bytes bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.bits());
  return bytes;
}

template <class T>
void expect_equal(const std::string& name, const std::vector<T>& found, const std::vector<T>& expected, Report& report) {
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (found[i] == expected[i]) continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) return report.ok(name, fmt::format("{} values", expected.size()));
  report.wrong(name, fmt::format("{} at {} and {} more of {}", found[first], first, wrong - 1, expected.size()),
               fmt::format("{}", expected[first]));
}

/// A product of matrices, a: m x k, b: columns of k, sums: m x n, which is added to.
struct MatrixStep {
  const char* name;
  int m, n, k, architecture;
  const char* code;  ///< of a warp: from a, b and d of one product to d
};
constexpr std::array steps{
    MatrixStep{"mma m16n8k32", 16, 8, 32, 80,
               R"(unsigned fa[4], fb[2];
  int sums[4];
  for (int i = 0; i < 4; ++i) fa[i] = a[(row + i % 2 * 8) * 8 + word + i / 2 * 4];
  for (int i = 0; i < 2; ++i) fb[i] = b[row * 8 + word + i * 4];
  for (int i = 0; i < 4; ++i) sums[i] = d[(row + i / 2 * 8) * 8 + word * 2 + i % 2];
  mma_16x8x32<SIGNED>(sums, fa, fb);
  for (int i = 0; i < 4; ++i) d[(row + i / 2 * 8) * 8 + word * 2 + i % 2] = sums[i];)"},
    MatrixStep{"mma m8n8k16", 8, 8, 16, 75,
               R"(int d0 = d[row * 8 + word * 2], d1 = d[row * 8 + word * 2 + 1];
  mma_8x8x16<SIGNED>(d0, d1, a[row * 4 + word], b[row * 4 + word]);
  d[row * 8 + word * 2] = d0;
  d[row * 8 + word * 2 + 1] = d1;)"},
};

KernelSource matrix_kernel(const MatrixStep& step, bool is_signed) {
  std::string code = step.code;
  code.replace(code.find("SIGNED"), 6, is_signed ? "true" : "false");
  const std::string body = fmt::format(
      R"(const int row = threadIdx.x / 4, word = threadIdx.x % 4;
  const long long product = blockIdx.x;
  const unsigned* const a = all_a + product * {};
  const unsigned* const b = all_b + product * {};
  s32* const d = all_d + product * {};
  {})",
      step.m * step.k / 4, step.n * step.k / 4, step.m * step.n, code);
  return qfw::cuda::kernel_source(fmt::format("check_mma_{}_{}", step.m, is_signed ? "s8" : "u8"),
                                  "const unsigned* all_a, const unsigned* all_b, s32* all_d", body, 32);
}

void check_matrices(Device& device, const MatrixStep& step, bool is_signed, bool whole, Report& report) {
  const std::string name = fmt::format("{} {} x s8", step.name, is_signed ? "s8" : "u8");
  if (device.properties().architecture < step.architecture) {
    return report.left_out(name, fmt::format("for sm_{} and later", step.architecture));
  }
  const int products = whole ? 4096 : 32;
  Bytes a = random_bytes(static_cast<std::size_t>(products) * step.m * step.k, 1);
  Bytes b = random_bytes(static_cast<std::size_t>(products) * step.n * step.k, 2);
  // The largest sums, and the lowest.
  std::fill_n(a.begin(), 2 * step.m * step.k, is_signed ? 0x80 : 0xff);
  std::fill_n(b.begin(), step.n * step.k, 0x80);
  std::fill_n(b.begin() + step.n * step.k, step.n * step.k, 0x7f);
  const Bytes before = random_bytes(static_cast<std::size_t>(products) * step.m * step.n * 4, 3);
  std::vector<std::int32_t> sums(before.size() / 4);
  std::memcpy(sums.data(), before.data(), before.size());

  const auto kernel = load(device, matrix_kernel(step, is_signed));
  const DeviceMemory from_a = on_device(device, a), from_b = on_device(device, b), to = on_device(device, sums);
  const LaunchShape shape{.grid = {static_cast<unsigned>(products), 1, 1}, .block = {32, 1, 1}, .barriers = true};
  qfw::cuda::launch(device, *kernel, shape, from_a.data(), from_b.data(), to.data());
  const auto found = on_host<std::int32_t>(device, to, sums.size());

  const auto value = [is_signed](std::uint8_t byte) {
    return is_signed ? static_cast<std::int8_t>(byte) : static_cast<int>(byte);
  };
  for (int p = 0; p < products; ++p) {
    for (int i = 0; i < step.m; ++i) {
      for (int j = 0; j < step.n; ++j) {
        std::int32_t& sum = sums[(p * step.m + i) * step.n + j];
        auto exact = static_cast<std::uint32_t>(sum);
        for (int k = 0; k < step.k; ++k) {
          exact += static_cast<std::uint32_t>(value(a[(p * step.m + i) * step.k + k]) *
                                              static_cast<std::int8_t>(b[(p * step.n + j) * step.k + k]));
        }
        sum = static_cast<std::int32_t>(exact);
      }
    }
  }
  expect_equal(name, found, sums, report);
}

void check_dot(Device& device, bool is_signed, bool whole, Report& report) {
  const std::string name = fmt::format("dp4a {} x s8", is_signed ? "s8" : "u8");
  const std::size_t count = whole ? 1 << 20 : 1 << 10;
  const Bytes bytes = random_bytes(count * 12, 4);
  std::vector<std::uint32_t> words(count * 3);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  const auto kernel =
      load(device, qfw::cuda::kernel_source(
                       fmt::format("check_dot_{}", is_signed ? "s8" : "u8"), "s32* to, const unsigned* from, int count",
                       fmt::format("const int i = thread_index();\n  if (i >= count) return;\n"
                                   "  to[i] = dot4<{}>(from[3 * i], from[3 * i + 1], static_cast<int>(from[3 * i + 2]));",
                                   is_signed)));
  const DeviceMemory from = on_device(device, words), to(device, count * 4);
  qfw::cuda::launch(device, *kernel, qfw::cuda::one_thread_each(static_cast<std::int64_t>(count), "dot products"), to.data(),
                    from.data(), static_cast<int>(count));
  std::vector<std::int32_t> expected(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t sum = words[3 * i + 2];
    for (int byte = 0; byte < 4; ++byte) {
      const auto a = static_cast<std::uint8_t>(words[3 * i] >> 8 * byte);
      const auto b = static_cast<std::int8_t>(words[3 * i + 1] >> 8 * byte);
      sum += static_cast<std::uint32_t>((is_signed ? static_cast<std::int8_t>(a) : static_cast<int>(a)) * b);
    }
    expected[i] = static_cast<std::int32_t>(sum);
  }
  expect_equal(name, on_host<std::int32_t>(device, to, count), expected, report);
}

/// Lane l names row l % 8 of matrix l / 8, and gets of each matrix words 2 (l % 4) and the next of row l / 4.
void check_matrix_loads(Device& device, Report& report) {
  if (device.properties().architecture < 75) return report.left_out("ldmatrix x4", "for sm_75 and later");
  const auto kernel = load(device, qfw::cuda::kernel_source("check_ldmatrix", "unsigned* to, const unsigned* from",
                                                            R"(__shared__ __align__(128) unsigned rows[128];
  for (int i = 0; i < 4; ++i) rows[i * 32 + threadIdx.x] = from[i * 32 + threadIdx.x];
  __syncthreads();
  unsigned words[4];
  ldmatrix4(words, rows + 4 * threadIdx.x);
  for (int i = 0; i < 4; ++i) to[4 * threadIdx.x + i] = words[i];)",
                                                            32));
  std::vector<std::uint32_t> rows(128), expected(128);
  for (std::uint32_t i = 0; i < 128; ++i) rows[i] = 0x01010101u * i;
  for (std::uint32_t lane = 0; lane < 32; ++lane) {
    for (std::uint32_t matrix = 0; matrix < 4; ++matrix) {
      expected[4 * lane + matrix] = rows[4 * (8 * matrix + lane / 4) + lane % 4];
    }
  }
  const DeviceMemory from = on_device(device, rows), to(device, 512);
  qfw::cuda::launch(device, *kernel, LaunchShape{.block = {32, 1, 1}, .barriers = true}, to.data(), from.data());
  expect_equal("ldmatrix x4", on_host<std::uint32_t>(device, to, 128), expected, report);
}

/// Groups land in order; of what lies outside zeros land.
void check_asynchronous_copies(Device& device, int bytes, Report& report) {
  const std::string name = fmt::format("cp.async of {} bytes", bytes);
  if (device.properties().architecture < 80) return report.left_out(name, "for sm_80 and later");
  const auto kernel =
      load(device, qfw::cuda::kernel_source(fmt::format("check_cp_async_{}", bytes), "unsigned* to, const unsigned* from",
                                            fmt::format(R"(constexpr int words = {} / 4;
  __shared__ __align__(128) unsigned landed[2][64 * words];
  const int at = threadIdx.x * words;
  for (int i = 0; i < words; ++i) landed[0][at + i] = landed[1][at + i] = ~0u;
  __syncthreads();
  copy_async<{}>(&landed[0][at], from + at, threadIdx.x % 3 != 0);
  copy_commit();
  copy_async<{}>(&landed[1][at], from + 64 * words + at, threadIdx.x % 5 != 0);
  copy_commit();
  copy_wait<1>();
  for (int i = 0; i < words; ++i) to[at + i] = landed[0][at + i];
  copy_wait<0>();
  __syncthreads();
  const int other = (63 - threadIdx.x) * words;
  for (int i = 0; i < words; ++i) to[64 * words + other + i] = landed[1][other + i];)",
                                                        bytes, bytes, bytes),
                                            64));
  const std::uint32_t words = static_cast<std::uint32_t>(bytes) / 4, half = 64 * words;
  std::vector<std::uint32_t> values(2 * half);
  for (std::uint32_t i = 0; i < values.size(); ++i) values[i] = 1 + i;
  std::vector<std::uint32_t> expected = values;
  for (std::uint32_t i = 0; i < half; ++i) {
    if (i / words % 3 == 0) expected[i] = 0;
    if (i / words % 5 == 0) expected[half + i] = 0;
  }
  const DeviceMemory from = on_device(device, values), to(device, values.size() * 4);
  qfw::cuda::launch(device, *kernel, LaunchShape{.block = {64, 1, 1}, .barriers = true}, to.data(), from.data());
  expect_equal(name, on_host<std::uint32_t>(device, to, values.size()), expected, report);
}

}  // namespace

void check_instructions(Device& device, const Effort& effort, Report& report) {
  for (const bool is_signed : {false, true}) {
    for (const MatrixStep& step : steps) check_matrices(device, step, is_signed, effort.whole, report);
    check_dot(device, is_signed, effort.whole, report);
  }
  check_matrix_loads(device, report);
  for (const int bytes : {4, 16}) check_asynchronous_copies(device, bytes, report);
}

}  // namespace device_check
