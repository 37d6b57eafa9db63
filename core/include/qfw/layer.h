#pragma once

#include "qfw/builder.h"

namespace qfw {

/// A piece of a network; a model is a layer from images [N, H, W, C] to logits [N, classes]. Stateless: parameters and
/// running statistics live in the graph, named by scope. Knows nothing of quantization; every conv2d and dense is a site.
class QFW_API Layer {
 public:
  using Interface = Layer;
  static constexpr const char* kind = "model";  ///< its word in recipes

  Layer() = default;
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;
  virtual ~Layer();

  /// Called once per graph, at the root scope. `classes` is the data set's.
  virtual Value build(GraphBuilder& g, Value x, std::int64_t classes) const = 0;
};

}  // namespace qfw
