#pragma once

#include <memory>
#include <optional>

#include "cuda/device.h"
#include "host_code.h"

/// A device on the host that keeps every promise of cuda::Device and no other.
///
/// Nothing is done before somebody waits for it: copies read host memory as late as they may, and of other streams only as much
/// is done as an event demands. Recorded work is replayed as it was given. Kernels run in changing schedules (host_code.h).
/// Device memory ends at a page that nobody may touch, holds no zeros when it is new, is gone when it is freed, and can be
/// touched by device work alone. Products of floats are the core's reference kernels; they spoil their workspace.
namespace emulated {

struct Faults {
  bool collective = true;  ///< false: devices cannot reduce among themselves
};

struct Kind {
  int architecture = 80;
  std::optional<Schedule> schedule{};  ///< of all kernels; none: it changes
};

std::unique_ptr<qfw::cuda::Device> make_device(const Faults& faults = {}, const Kind& kind = {});

}  // namespace emulated
