#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qfw/graph.h"
#include "qfw/preparation.h"

namespace qfw {

/// A trained network without its training: what is left for each image, and all that a program needs that has neither recipe
/// nor data set. Exporters write it.
struct FrozenModel {
  /// An evaluation's graph, its composites expanded: one input, `images`, f32 [N, H, W, C] of prepared images; one fetch,
  /// `logits`, f32 [N, classes]. What variables alone decide is constant tensors; there are no variables. Axis 0 of every value
  /// that depends on images is that of the images, and nothing goes from one image to another, so N stands for any number of
  /// them. Sites say where their products, sums and factors are, and of weights what Freeze leaves of them.
  Graph graph;
  /// What the run's evaluations do to a picture; none: its augment has no words for it (Augment::preparation).
  std::optional<image::Preparation> preparation;
  std::vector<std::string> labels;  ///< of the classes, in order; empty: they have numbers only

  struct Provenance {
    std::string qfw;         ///< version, with its commit
    std::string recipe;      ///< resolved, with the options of the command line
    std::string checkpoint;  ///< digest of its variables, 16 hexadecimal digits
    std::int64_t step = 0;   ///< completed
    std::string phase;       ///< the quantizers' name for what they did: "weights, activations"
  };
  Provenance provenance;

  std::int64_t batch() const { return graph.inputs.at(0).type.shape[0]; }
  Shape image() const {  ///< [H, W, C]
    const Shape& shape = graph.inputs.at(0).type.shape;
    return {shape[1], shape[2], shape[3]};
  }
  std::int64_t classes() const { return graph.type(graph.fetches.at(0).use).shape[1]; }
};

/// Throws Error::Category::internal, saying which, unless the graph is as FrozenModel::graph says.
QFW_API void verify(const FrozenModel& model);

}  // namespace qfw
