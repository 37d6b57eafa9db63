#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "qfw/frozen_model.h"
#include "qfw/tensor.h"

namespace qfw::codes {

/// The values of a frozen graph that no image reaches, by the reference kernels.
class Constants {
 public:
  explicit Constants(const Graph& graph);

  /// Whether images decide a value.
  bool of_images(Use use) const { return of_images_[static_cast<std::size_t>(use.node)]; }
  /// Of any other one: its elements, which live as long as this.
  HostView value(Use use);
  /// The same before the broadcasts that it went through last, of one number once: elementwise ops cannot tell.
  HostView narrow(Use use);

 private:
  void evaluate(int number);

  const Graph& graph_;
  std::vector<bool> of_images_;
  std::map<std::pair<int, int>, std::vector<std::byte>> values_;
};

}  // namespace qfw::codes
