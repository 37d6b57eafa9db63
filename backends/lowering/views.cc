#include "qfw/lowering/views.h"

#include <algorithm>
#include <utility>

namespace qfw::lowering {

std::vector<std::int64_t> key_of(const Shape& shape) {
  std::vector<std::int64_t> key;
  std::copy_if(shape.begin(), shape.end(), std::back_inserter(key), [](std::int64_t extent) { return extent != 1; });
  return key;
}

Strides dense_strides(const Shape& shape) {
  Strides strides{};
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = shape[axis] == 1 ? 0 : stride;
    stride *= shape[axis];
  }
  return strides;
}

View dense_view(const Graph& graph, Use use) {
  const Shape& shape = graph.type(use).shape;
  return {use, shape, dense_strides(shape)};
}

bool extend(View& view, const Node& node) {
  const Shape& to = node.outputs[0].shape;
  switch (node.op) {
    case Op::reshape: {
      Strides strides{};
      if (view.strides == dense_strides(view.shape)) {
        strides = dense_strides(to);
      } else if (key_of(view.shape) == key_of(to)) {
        strides = strides_in(view.shape, view.strides, view.shape);
        int from = 0;
        Strides spread{};
        for (int axis = 0; axis < to.rank(); ++axis) {
          if (to[axis] != 1) spread[axis] = strides[from++];
        }
        strides = spread;
      } else if (std::all_of(view.strides.begin(), view.strides.end(), [](std::int64_t stride) { return stride == 0; })) {
        strides = {};
      } else {
        return false;
      }
      view.shape = to;
      view.strides = strides;
      return true;
    }
    case Op::transpose: {
      auto [a, b] = node.as<Axes>().swap;
      const int rank = view.shape.rank();
      std::swap(view.strides[a < 0 ? a + rank : a], view.strides[b < 0 ? b + rank : b]);
      view.shape = to;
      return true;
    }
    case Op::broadcast_to: {
      Strides strides{};
      for (int back = 1; back <= view.shape.rank(); ++back) {
        const int axis = view.shape.rank() - back;
        strides[to.rank() - back] = view.shape[axis] == 1 ? 0 : view.strides[axis];
      }
      view.shape = to;
      view.strides = strides;
      return true;
    }
    default:
      return false;
  }
}

bool resolve_view(const Graph& graph, Use use, const std::function<bool(Use)>& in_memory, View& view) {
  std::vector<int> chain;
  while (!in_memory(use)) {
    const Node& node = graph.nodes[use.node];
    if (class_of(node.op) != OpClass::view) return false;
    chain.push_back(use.node);
    use = node.inputs[0];
  }
  view = dense_view(graph, use);
  return std::all_of(chain.rbegin(), chain.rend(), [&](int node) { return extend(view, graph.nodes[node]); });
}

Strides strides_in(const Shape& narrow, const Strides& strides, const Shape& wide) {
  Strides result{};
  int dim = 0;
  for (int axis = 0; axis < wide.rank(); ++axis) {
    if (wide[axis] == 1) continue;
    const int own = axis - (wide.rank() - narrow.rank());
    result[dim++] = own < 0 || narrow[own] == 1 ? 0 : strides[own];
  }
  return result;
}

bool transpose_is_alias(const Shape& shape, const Axes& axes) {
  const auto position = [&](int axis) { return axis < 0 ? axis + shape.rank() : axis; };
  const auto [low, high] = std::minmax({position(axes.swap[0]), position(axes.swap[1])});
  std::int64_t first = 1, between = 1, second = 1;
  for (int axis = low; axis <= high; ++axis) (axis == low ? first : axis == high ? second : between) *= shape[axis];
  return first * between == 1 || between * second == 1 || first * second == 1;
}

}  // namespace qfw::lowering
