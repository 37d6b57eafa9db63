#pragma once

#include "device.h"

namespace qfw::cuda {

/// What QFW_DUMP=code shows of a kernel, on stderr: its ops, what it takes of a multiprocessor, and the file its text is
/// written to, in a folder of the process's own below that of temporary files, beside the headers that it includes.
void dump_code(const KernelSource& source, const Function& function);

}  // namespace qfw::cuda
