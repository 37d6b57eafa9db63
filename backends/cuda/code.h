#pragma once

#include <string_view>

namespace qfw::cuda {

/// All headers of device code, code/*.cuh and qfw/elementary.h, as one text that stands before every KernelSource.
std::string_view device_headers();

}  // namespace qfw::cuda
