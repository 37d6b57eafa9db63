#pragma once

#include <memory>
#include <span>

#include "fusion.h"

namespace qfw::cpu {

/// A group made ready to run. Equal bits for any number of threads; where the graph sums in order (see Summation) they are
/// the reference's, too.
class FusedKernel {
 public:
  /// Plans everything, scratch memory included. `graph` and `group` need not outlive the call.
  FusedKernel(const Graph& graph, const FusedGroup& group, int threads);
  FusedKernel(FusedKernel&&) noexcept;
  FusedKernel& operator=(FusedKernel&&) noexcept;
  ~FusedKernel();

  /// One pointer per group.inputs and group.outputs, dense row-major, aligned to their element. An output may share memory with
  /// an input only if may_overwrite() allows it. Allocates nothing; not for several threads at once.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs);

  /// Whether output may be written over input (same bytes per element, same index for index, read before it is written).
  bool may_overwrite(int input, int output) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qfw::cpu
