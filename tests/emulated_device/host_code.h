#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/device.h"
#include "host_thread.h"

/// Device code on the host: compiled by g++, its blocks run one after the other with a fiber for each thread.
namespace emulated {

/// In which order threads and blocks go on. A GPU may choose any of them; results must not depend on it.
enum class Schedule {
  in_step,      ///< all threads of a block up to the next barrier
  first_ahead,  ///< one warp as far as it gets, from the first
  last_ahead    ///< from the last; lanes of a warp and blocks, too
};
inline constexpr std::array schedules{Schedule::in_step, Schedule::first_ahead, Schedule::last_ahead};

/// Sources compiled together. The library stays loaded for good; equal texts are compiled once, kept in a folder of the user's.
class HostCode {
 public:
  /// `headers` stand once before all sources. Throws with the compiler's output.
  static HostCode compile(std::string_view headers, std::span<const qfw::cuda::KernelSource> sources);

  using Kernel = void (*)(void** arguments);
  Kernel kernel(const std::string& name) const;                        ///< throws for one that is not there
  std::vector<std::size_t> parameters(const std::string& name) const;  ///< the sizes of what it takes, in bytes
  void bind(HostThread* thread) const { bind_(thread); }

 private:
  void* find(const std::string& symbol) const;

  void* library_ = nullptr;
  void (*bind_)(HostThread*) = nullptr;
};

/// All blocks of a grid, with subnormals flushed. Throws if the threads of a block wait for each other in vain, if one waits
/// although the shape says that none does, or if an access is not aligned to its type, an asynchronous copy to its bytes. These
/// copies land as late as the code lets them.
void run_grid(const HostCode& code, HostCode::Kernel kernel, const qfw::cuda::LaunchShape& shape, void** arguments,
              Schedule schedule);

}  // namespace emulated
