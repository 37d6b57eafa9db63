#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "device.h"
#include "qfw/lowering/program.h"

/// A fused group as CUDA C++: one kernel for each sequence of ops, types and patterns, whatever the extents, which are
/// arguments. Each op rounds once, as on every backend: the text is to be compiled without contraction, with subnormals flushed
/// and divisions and roots rounded (code/prelude.cuh).
namespace qfw::cuda {

/// How a kernel is told of its operands.
enum class Form : std::uint8_t {
  alone,    ///< it computes one group
  together  ///< several of the same code, members of one launch, each by its own blocks
};

/// One kernel of a group and how it is started. Alone its parameters are, in this order: a pointer for each input of the group,
/// one for each output, one to scratch memory, and the extents, an array of 64-bit integers by value (struct Extents<N>). All
/// pointers are aligned to 32 bytes. The program's numbers are among the extents, too, by their bits: many are made of extents.
///
/// Together they are two tables in device memory. The first has a MemberBlock for each block of the launch in x, the second a
/// record for each member, of 64-bit words: the extent of its blocks (x, and y in the upper half), the pointers as above, the
/// extents. Blocks of the launch are as wide as that of a member at most (in x alone), and as many in y as each member has.
struct EmittedLaunch {
  KernelSource source;
  LaunchShape shape;  ///< alone
  std::vector<std::int64_t> extents;
};

/// To be started one after the other.
struct EmittedGroup {
  std::vector<EmittedLaunch> launches;
  std::size_t scratch_bytes = 0;
  std::string describe;  ///< for people: elements a thread, how sums are taken
};

/// `inputs` and `outputs` are the types of the group's operands. Sums of an `in_order` program are taken in double and index
/// order by one thread each; others over a tree that the extents alone decide, so that every device has the same bits: each
/// thread adds up 8 rows in f32 and such blocks in double, a block of threads joins what its threads have, and a second kernel
/// what the blocks have, in a fixed order.
EmittedGroup emit(const lowering::FusedProgram& program, std::span<const DType> inputs, std::span<const DType> outputs,
                  Form form = Form::alone);
/// With another layout than layout_of(program): for tests.
EmittedGroup emit(const lowering::FusedProgram& program, std::span<const DType> inputs, std::span<const DType> outputs,
                  const struct Layout& layout, Form form = Form::alone);

/// Whether that output may lie where that input lies: no thread reads another's elements of it.
bool may_overwrite(const lowering::FusedProgram& program, int input, int output);

}  // namespace qfw::cuda
