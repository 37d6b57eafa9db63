#pragma once

#include <memory>
#include <vector>

#include "context.h"
#include "group_kernel.h"
#include "kernel.h"

namespace qfw::cuda {

/// Groups of the same code that do not depend on each other as one launch for each kernel of theirs, over tables in device
/// memory (Form::together), which point() writes. Operands are those of the first group, then those of the second, and so on.
/// Each group's blocks and threads work as they do where it is launched by itself: results have the same bits.
std::unique_ptr<Kernel> make_groups(std::vector<GroupCode> members, Context& context);

/// Copies a tensor, bit for bit.
GroupCode copy_code(const TensorType& type);

}  // namespace qfw::cuda
