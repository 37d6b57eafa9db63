#include "emit.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernel_text.h"

namespace qfw::cuda {

using lowering::FusedProgram;
using lowering::Pattern;

namespace {

std::string described(const Layout& layout) {
  const std::int64_t ordered = std::ranges::count(layout.by_tree, false);
  const std::int64_t trees = static_cast<std::int64_t>(layout.by_tree.size()) - ordered;
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (layout.walks) {
    add(fmt::format("{} columns x {} rows a thread, {} blocks of {} x {}", layout.vector, layout.unroll, layout.blocks(),
                    layout.block_x, layout.block_y));
  }
  if (layout.wide) add("64-bit indices");
  if (trees > 0) add(fmt::format("{} reduced in {} parts", trees, layout.parts()));
  if (ordered > 0) add(fmt::format("{} reduced in order", ordered));
  return text;
}

}  // namespace

EmittedGroup emit(const FusedProgram& program, std::span<const DType> inputs, std::span<const DType> outputs, Form form) {
  return emit(program, inputs, outputs, layout_of(program), form);
}

EmittedGroup emit(const FusedProgram& program, std::span<const DType> inputs, std::span<const DType> outputs,
                  const Layout& layout, Form form) {
  const GroupSource source{.program = program, .layout = layout, .inputs = inputs, .outputs = outputs, .form = form};
  EmittedGroup group;
  group.describe = described(layout);
  std::vector<bool> done = layout.by_tree;
  for (std::size_t r = 0; r < done.size(); ++r) {
    std::vector<int> same;
    for (std::size_t other = r; other < done.size(); ++other) {
      if (done[other] || program.reductions[other].strides != program.reductions[r].strides) continue;
      same.push_back(static_cast<int>(other));
    }
    if (done[r]) continue;
    for (const int one : same) done[static_cast<std::size_t>(one)] = true;
    group.launches.push_back(ordered_kernel(source, same));
  }
  if (!layout.walks) return group;
  std::vector<std::int64_t> scratch_at;
  std::int64_t doubles = 0, most = 1;
  for (std::size_t r = 0; r < program.reductions.size(); ++r) {
    scratch_at.push_back(doubles);
    if (!layout.by_tree[r]) continue;
    const Partials partials = partials_of(program, layout, program.reductions[r]);
    doubles += partials.all * accumulator_of(program.reductions[r].kind).doubles;
    most = std::max(most, partials.count);
  }
  group.launches.push_back(walking_kernel(source, scratch_at));
  if (most == 1) return group;  // each of the partial results is the result
  group.launches.push_back(joining_kernel(source, scratch_at));
  group.scratch_bytes = static_cast<std::size_t>(doubles) * sizeof(double);
  return group;
}

bool may_overwrite(const FusedProgram& program, int input, int output) {
  const auto store = std::ranges::find(program.stores, output, &FusedProgram::Store::output);
  if (store == program.stores.end()) return false;
  // A thread has read all elements that it writes; what reduces in order runs before.
  return std::ranges::all_of(program.loads, [&](const FusedProgram::Load& load) {
    return load.input != input || (load.pattern == Pattern::dense && size_of(load.dtype) == size_of(store->dtype));
  });
}

}  // namespace qfw::cuda
