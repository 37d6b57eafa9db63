#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "qfw/graph.h"

namespace qfw::lowering {

using Strides = std::array<std::int64_t, Shape::max_rank>;

/// A tensor in memory seen through reshapes, transposes and broadcasts: element (i, j, ...) of `shape` lies at the sum of
/// index times stride.
struct View {
  Use base;
  Shape shape;
  Strides strides{};
};

/// The extents other than 1: two shapes with the same key have the same elements at the same places.
std::vector<std::int64_t> key_of(const Shape& shape);

View dense_view(const Graph& graph, Use use);

/// Sees `view` through one more view node. False, leaving it alone, if no strides can express that.
bool extend(View& view, const Node& node);

/// `use` followed through view nodes down to the first that `in_memory` accepts. False if strides cannot express it, or if it
/// ends at a node that is neither in memory nor a view.
bool resolve_view(const Graph& graph, Use use, const std::function<bool(Use)>& in_memory, View& view);

/// The strides of a tensor that broadcasts to `wide`, one for each extent of wide's key.
Strides strides_in(const Shape& narrow, const Strides& strides, const Shape& wide);

Strides dense_strides(const Shape& shape);

/// Whether swapping these axes moves no element, as of [N, 1].
bool transpose_is_alias(const Shape& shape, const Axes& axes);

}  // namespace qfw::lowering
