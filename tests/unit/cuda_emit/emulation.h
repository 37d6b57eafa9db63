#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cuda/code.h"
#include "cuda/emit.h"
#include "cuda/layout.h"
#include "guarded_memory.h"
#include "host_code.h"
#include "unit/fused/compare_kinds.h"

/// Groups as device code on the emulated device, beside the same groups as cpu interprets them.
namespace qfw::cuda::testing {

using cpu::testing::element;
using cpu::testing::first_difference;
using cpu::testing::Memory;
using emulated::HostCode;
using emulated::Schedule;
using lowering::FusedProgram;
using lowering::Pattern;
using Reduction = FusedProgram::Reduction;
using Kind = Reduction::Kind;

/// A group and its kernels.
struct Job {
  std::vector<TensorType> inputs, outputs;
  FusedProgram program;
  EmittedGroup emitted;
};

inline std::vector<DType> dtypes(const std::vector<TensorType>& types) {
  std::vector<DType> all;
  for (const TensorType& type : types) all.push_back(type.dtype);
  return all;
}

inline Job job_of(const Graph& graph, const lowering::Group& group) {
  Job job;
  for (const Use use : group.inputs) job.inputs.push_back(graph.type(use));
  for (const Use use : group.outputs) job.outputs.push_back(graph.type(use));
  job.program = lowering::program_of(graph, group);
  job.emitted = emit(job.program, dtypes(job.inputs), dtypes(job.outputs));
  return job;
}

/// The kernels of many groups, compiled at once.
class Kernels {
 public:
  void add(const EmittedGroup& group) {
    for (const EmittedLaunch& launch : group.launches) {
      if (names_.insert(launch.source.name).second) sources_.push_back(launch.source);
    }
  }
  std::size_t count() const { return sources_.size(); }
  const std::vector<KernelSource>& sources() const { return sources_; }

  void compile() { code_ = HostCode::compile(device_headers(), sources_); }

  /// The outputs. `overwritten`: an input and the output that lies at its place.
  std::vector<Memory> run(const Job& job, const std::vector<Memory>& inputs, Schedule schedule,
                          std::pair<int, int> overwritten = {-1, -1}) const {
    emulated::GuardedMemory memory;
    std::vector<std::byte*> in, out;
    for (const Memory& input : inputs) {
      in.push_back(memory.allocate(input.size()));
      memory.open(true);
      std::ranges::copy(input, in.back());
    }
    for (int o = 0; o < static_cast<int>(job.outputs.size()); ++o) {
      const bool there = overwritten.second == o;
      out.push_back(there ? in[overwritten.first] : memory.allocate(job.outputs[o].bytes()));
    }
    std::byte* scratch = memory.allocate(job.emitted.scratch_bytes);
    memory.open(true);
    for (EmittedLaunch launch : job.emitted.launches) {
      std::vector<std::byte*> pointers = in;
      pointers.insert(pointers.end(), out.begin(), out.end());
      pointers.push_back(scratch);
      std::vector<void*> arguments;
      for (std::byte*& pointer : pointers) arguments.push_back(&pointer);
      arguments.push_back(launch.extents.data());
      const std::vector<std::size_t> sizes = code_->parameters(launch.source.name);
      EXPECT_EQ(sizes.size(), arguments.size());
      EXPECT_EQ(sizes.back(), launch.extents.size() * sizeof(std::int64_t));
      emulated::run_grid(*code_, code_->kernel(launch.source.name), launch.shape, arguments.data(), schedule);
    }
    std::vector<Memory> results;
    for (std::size_t o = 0; o < out.size(); ++o) {
      const std::size_t bytes = job.outputs[o].bytes();
      results.emplace_back(out[o], out[o] + bytes);
      if (static_cast<int>(o) == overwritten.second) continue;
      // Up to where forbidden pages begin.
      const auto untouched = [](std::byte b) { return b == std::byte{0xa5}; };
      EXPECT_TRUE(std::all_of(out[o] + bytes, out[o] + (bytes + 255) / 256 * 256, untouched))
          << "output " << o << " is written beyond its end";
    }
    return results;
  }

 private:
  std::set<std::string> names_;
  std::vector<KernelSource> sources_;
  std::optional<HostCode> code_;
};

/// Interpreted by cpu; outputs that the program does not have stay 0xee.
inline std::vector<Memory> interpreted(FusedProgram program, const Job& job, const std::vector<Memory>& inputs) {
  std::string why;
  const auto kernel = cpu::make_fused(std::move(program), 1, cpu::body_kinds().back(), why);
  std::vector<const void*> in;
  std::vector<Memory> results;
  std::vector<void*> out;
  for (const Memory& input : inputs) in.push_back(input.data());
  for (const TensorType& type : job.outputs) results.emplace_back(type.bytes(), std::byte{0xee});
  for (Memory& result : results) out.push_back(result.data());
  kernel->run({}, in, out);
  return results;
}

/// What sums in another order are held against.
struct Bounds {
  std::vector<Memory> exact;       ///< in double and index order
  std::vector<Memory> magnitudes;  ///< sums of the absolute values
};

inline Bounds bounds_of(const Job& job, const std::vector<Memory>& inputs) {
  FusedProgram program = job.program;
  program.in_order = true;
  program.stores.clear();
  Bounds bounds{interpreted(program, job, inputs), {}};
  std::vector<Reduction> sums;
  for (Reduction reduction : program.reductions) {
    if (reduction.kind != Kind::sum) continue;
    FusedProgram::Value value{.kind = FusedProgram::Value::Kind::compute, .op = Op::abs};
    value.dtype = program.values[reduction.value].dtype;
    value.fill = program.values[reduction.value].fill;
    value.args[0] = reduction.value;
    program.values.push_back(value);
    reduction.value = static_cast<int>(program.values.size()) - 1;
    sums.push_back(reduction);
  }
  program.reductions = sums;
  bounds.magnitudes = sums.empty() ? std::vector<Memory>(job.outputs.size()) : interpreted(program, job, inputs);
  return bounds;
}

constexpr double ulp = 0x1p-24;

/// Sums of eight rows in f32, the rest in double, twice rounded: the worst that can be.
inline void expect_sums(const Reduction& reduction, const Bounds& bounds, const Memory& found) {
  for (std::int64_t i = 0; i < reduction.results; ++i) {
    const double exact = element(bounds.exact[reduction.output], DType::f32, i), x = element(found, DType::f32, i);
    const double all = element(bounds.magnitudes[reduction.output], DType::f32, i);
    if (std::isinf(all)) continue;  // where blocks overflow depends on their order
    if (std::isnan(all)) {
      ASSERT_TRUE(std::isnan(x)) << "sum " << i << " of numbers and none is " << x;
    } else {
      ASSERT_NEAR(x, exact, 10 * ulp * all + 1e-30) << "sum " << i;
    }
  }
}

inline void expect_moments(const Reduction& reduction, const Bounds& bounds, const std::vector<Memory>& found) {
  if (reduction.output < 0 || reduction.second_output < 0) return;
  for (std::int64_t i = 0; i < reduction.results; ++i) {
    const double mean = element(bounds.exact[reduction.output], DType::f32, i);
    const double variance = element(bounds.exact[reduction.second_output], DType::f32, i);
    const double found_mean = element(found[reduction.output], DType::f32, i);
    const double found_variance = element(found[reduction.second_output], DType::f32, i);
    if (!std::isfinite(mean) || !std::isfinite(variance)) {
      ASSERT_TRUE(!std::isfinite(found_mean) || !std::isfinite(found_variance)) << "moments " << i;
      continue;
    }
    ASSERT_NEAR(found_mean, mean, 64 * ulp * std::sqrt(variance) + 4 * ulp * std::abs(mean) + 1e-30) << "mean " << i;
    ASSERT_NEAR(found_variance, variance, 160 * ulp * variance + 1e-30) << "variance " << i;
  }
}

/// Of extremes that are zeros any may be taken, and what is subnormal is zero.
inline void expect_extremes(const Reduction& reduction, const Memory& expected, const Memory& found) {
  for (std::int64_t i = 0; i < reduction.results; ++i) {
    const float a = element(expected, DType::f32, i), b = element(found, DType::f32, i);
    const bool zeros = std::abs(a) < 0x1p-126f && std::abs(b) < 0x1p-126f;
    ASSERT_TRUE(a == b || zeros || (std::isnan(a) && std::isnan(b)))
        << "extreme " << i << ": " << a << " expected, " << b << " found";
  }
}

/// Bit for bit what cpu's interpreter has, but for what `free` summation leaves open. Sums are only looked at if `tame`: no
/// number is so large that the sum of a few is infinite.
inline void expect_equal(const Job& job, const std::vector<Memory>& inputs, const std::vector<Memory>& found, bool tame) {
  const std::vector<Memory> expected = interpreted(job.program, job, inputs);
  const auto same = [&](int output) {
    if (output < 0) return;
    const TensorType& type = job.outputs[output];
    const auto at = first_difference(type, expected[output], found[output]);
    ASSERT_EQ(at, -1) << "output " << output << " " << type.str() << ": " << element(expected[output], type.dtype, at)
                      << " expected, " << element(found[output], type.dtype, at) << " found";
  };
  for (const FusedProgram::Store& store : job.program.stores) {
    same(store.output);
    if (::testing::Test::HasFatalFailure()) return;
  }
  std::optional<Bounds> bounds;
  for (const Reduction& reduction : job.program.reductions) {
    if (::testing::Test::HasFatalFailure()) return;
    if (reduction.kind == Kind::max || reduction.kind == Kind::min) {
      expect_extremes(reduction, expected[reduction.output], found[reduction.output]);
    } else if (job.program.in_order) {
      same(reduction.output);
      same(reduction.second_output);
    } else if (tame) {
      if (!bounds) bounds = bounds_of(job, inputs);
      if (reduction.kind == Kind::sum) {
        expect_sums(reduction, *bounds, found[reduction.output]);
      } else {
        expect_moments(reduction, *bounds, found);
      }
    }
  }
}

inline std::vector<Memory> inputs_of(const Job& job, std::mt19937& random, bool wild) {
  std::vector<Memory> inputs;
  for (const TensorType& type : job.inputs) {
    inputs.push_back(wild ? cpu::testing::wild_memory(type, random) : cpu::testing::random_memory(type, random));
  }
  return inputs;
}

/// In every schedule, with equal bits, and in place where that is said to be allowed.
inline void expect_right(const Kernels& kernels, const Job& job, std::mt19937& random) {
  for (const bool wild : {true, false}) {
    const bool sums = std::ranges::any_of(job.program.reductions, [&](const Reduction& reduction) {
      return !job.program.in_order && (reduction.kind == Kind::sum || reduction.kind == Kind::moments);
    });
    if (!wild && !sums) continue;
    const std::vector<Memory> inputs = inputs_of(job, random, wild);
    const std::vector<Memory> found = kernels.run(job, inputs, Schedule::in_step);
    expect_equal(job, inputs, found, !wild);
    if (::testing::Test::HasFatalFailure()) return;
    const bool barriers = std::ranges::any_of(job.emitted.launches, [](const auto& launch) { return launch.shape.barriers; });
    for (const Schedule schedule : {Schedule::first_ahead, Schedule::last_ahead}) {
      if ((wild && sums) || (schedule == Schedule::first_ahead && !barriers)) continue;
      ASSERT_EQ(kernels.run(job, inputs, schedule), found) << "in another order of threads";
    }
    for (int i = 0; i < static_cast<int>(job.inputs.size()); ++i) {
      for (int o = 0; o < static_cast<int>(job.outputs.size()); ++o) {
        if (!may_overwrite(job.program, i, o) || job.inputs[i].bytes() != job.outputs[o].bytes()) continue;
        ASSERT_EQ(kernels.run(job, inputs, Schedule::last_ahead, {i, o}), found)
            << "output " << o << " in place of input " << i;
        i = static_cast<int>(job.inputs.size());  // one pair is enough
        break;
      }
    }
  }
}

}  // namespace qfw::cuda::testing
