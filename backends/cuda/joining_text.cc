#include <fmt/format.h>

#include <algorithm>

#include "kernel_text.h"

namespace qfw::cuda {

using Reduction = lowering::FusedProgram::Reduction;

namespace {

// Side by side: a warp reads what follows each other. Fewer where a thread would join many partial results.
constexpr std::int64_t most_results_a_block = 32, least_results_a_block = 4;
constexpr std::int64_t many_partials = 16;

}  // namespace

EmittedLaunch joining_kernel(const GroupSource& source, std::span<const std::int64_t> scratch_at) {
  KernelText text(source);
  std::int64_t most_results = 1, most_partials = 1, doubles = 1;
  unsigned number = 0;
  text.line("const i64 first = static_cast<i64>(spot.block) * spot.width, result = first + spot.x;");
  std::vector<int> trees;
  for (int r = 0; r < static_cast<int>(source.program.reductions.size()); ++r) {
    if (!source.layout.by_tree[r]) continue;
    trees.push_back(r);
    doubles = std::max(doubles, accumulator_of(source.program.reductions[r].kind).doubles);
  }
  text.line(fmt::format("__shared__ double shared[{}];", doubles * Layout::most_threads));
  for (const int r : trees) {
    const Reduction& reduction = source.program.reductions[r];
    const Partials partials = partials_of(source.program, source.layout, reduction);
    const Accumulator accumulator = accumulator_of(reduction.kind);
    most_results = std::max(most_results, reduction.results);
    most_partials = std::max(most_partials, partials.count);
    text.open(fmt::format("if (blockIdx.y == {} && first < {})", number++, text.extent(reduction.results)));
    text.line("const i64 results = ", text.extent(reduction.results), ", count = ", text.extent(partials.count),
              ", stride = ", text.extent(partials.stride), ";");
    text.line(fmt::format("const {0}* const from = reinterpret_cast<const {0}*>(scratch + {1});", accumulator.type,
                          text.extent(scratch_at[r])));
    text.line(fmt::format("{} all = {};", accumulator.type, accumulator.nothing));
    text.open("if (result < results)");
    text.line("const i64 begin = result / stride * count * stride + result % stride;");
    text.line("all = joined_partials(from + begin, all, spot.y, spot.height, count, stride);");
    text.close();
    text.line(fmt::format("join_threads<{}, 1>(&all, shared, spot.x, spot.y, spot.width, spot.height);", accumulator.type));
    text.open("if (spot.y == 0 && result < results)");
    text.put_result(reduction, "result", "all");
    text.close();
    text.close();
  }
  std::int64_t x = std::min(most_results, most_results_a_block);
  while (x > least_results_a_block && most_partials > many_partials * (Layout::most_threads / x)) x /= 2;
  const std::int64_t y = std::min<std::int64_t>(Layout::most_threads / x, most_partials);
  return text.done({.grid = {static_cast<unsigned>((most_results + x - 1) / x), number, 1},
                    .block = {static_cast<unsigned>(x), static_cast<unsigned>(y), 1},
                    .barriers = true},
                   "joins parts");
}

}  // namespace qfw::cuda
