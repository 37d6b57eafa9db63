#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "qfw/graph.h"

namespace qfw::onnx {

/// What of a frozen graph no image reaches: its tensors and numbers, and views of them, evaluated with the reference kernels.
class Constants {
 public:
  explicit Constants(const Graph& graph);  ///< which must outlive this

  bool has(Use use) const { return !of_images_[static_cast<std::size_t>(use.node)]; }
  /// Of one that has no image in it; stays valid.
  HostView of(Use use) const;
  /// The same as numbers, whatever the dtype; subnormal ones, which variables may have, are the zeros that they count for.
  std::vector<float> numbers(Use use) const;
  /// Whether it is one number, whatever its shape.
  bool is_number(Use use) const { return has(use) && graph_.type(use).shape.count() == 1; }
  float number(Use use) const { return numbers(use).at(0); }

 private:
  void evaluate(int number);

  const Graph& graph_;
  std::vector<bool> of_images_;                                ///< by node
  std::map<int, std::vector<std::vector<std::byte>>> values_;  ///< by node, by output; tensors have their own bytes
};

}  // namespace qfw::onnx
