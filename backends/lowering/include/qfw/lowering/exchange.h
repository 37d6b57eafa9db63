#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "qfw/graph.h"

namespace qfw::lowering {

/// What a caller hands to an executable: one tensor for each input and fetch of its graph.
class Exchange {
 public:
  /// `backend` names who complains.
  Exchange(const Graph& graph, std::string backend);

  /// Throws Error::Category::usage for another number of tensors, and naming the first of another type or size.
  void check(std::span<const HostView> feeds, std::span<const HostTensor> fetches) const;
  /// The same for feeds of which those without bytes are not known (Executable::prefetch).
  void check_known(std::span<const HostView> feeds) const;

 private:
  using Named = std::pair<std::string, TensorType>;

  void check_counts(std::size_t feeds, std::size_t fetches) const;
  void check(const char* what, std::size_t index, const Named& asked, const TensorType& found, std::size_t bytes) const;

  std::string backend_;
  std::vector<Named> inputs_, fetches_;
};

}  // namespace qfw::lowering
