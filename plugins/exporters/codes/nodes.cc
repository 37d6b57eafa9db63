#include <boost/json.hpp>

#include "draft.h"
#include "json_text.h"
#include "qfw/op_definition.h"

namespace qfw::codes {

namespace {

namespace json = boost::json;

json::array pair_of(const Extent& extent) { return {extent[0], extent[1]}; }

json::object padding_of(const Padding& padding) { return {{"low", pair_of(padding.low)}, {"high", pair_of(padding.high)}}; }

/// Of a constant, in its dtype.
json::value number_of(const Node& node) {
  const double value = node.as<Number>().value;
  const DType dtype = node.outputs[0].dtype;
  return is_float(dtype) ? json_number(rounded(static_cast<float>(value), dtype))
                         : json::value(static_cast<std::int64_t>(value));
}

/// What an op needs to know beside its operands and its result's shape.
json::object attributes_of(const Node& node) {
  switch (node.op) {
    case Op::conv2d:
      return describe_conv(node.as<Conv2d>());
    case Op::max_pool: {
      const Pool& pool = node.as<Pool>();
      return {{"window", pair_of(pool.window)}, {"stride", pair_of(pool.stride)}, {"padding", padding_of(pool.padding)}};
    }
    case Op::transpose:
      return {{"swap", {node.as<Axes>().swap[0], node.as<Axes>().swap[1]}}};
    case Op::constant:
      return {{"value", number_of(node)}};
    default:
      return {};
  }
}

/// A number is written where it is read.
bool is_number(const Node& node) { return node.op == Op::constant && node.outputs[0].shape.rank() == 0; }

}  // namespace

json::object describe_conv(const Conv2d& conv) {
  return {{"stride", pair_of(conv.stride)}, {"padding", padding_of(conv.padding)}, {"groups", conv.groups}};
}

json::array describe_nodes(Draft& draft) {
  const Graph& graph = draft.model.graph;
  json::array nodes;
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[static_cast<std::size_t>(number)];
    if (node.op == Op::tensor || node.op == Op::input || is_number(node)) continue;
    json::array inputs;
    for (const Use use : node.inputs) {
      if (is_number(draft.node(use))) {
        inputs.push_back(number_of(draft.node(use)));
      } else {
        inputs.emplace_back(draft.values.name(use));
      }
    }
    json::object entry{{"op", name_of(node.op)}, {"inputs", std::move(inputs)}};
    if (node.outputs.size() == 1) {
      entry["output"] = draft.values.name({number, 0});
    } else {
      json::array outputs;
      for (int i = 0; i < static_cast<int>(node.outputs.size()); ++i) outputs.emplace_back(draft.values.name({number, i}));
      entry["outputs"] = std::move(outputs);
    }
    entry["dtype"] = name_of(node.outputs[0].dtype);
    entry["shape"] = draft.shape_of({number, 0});
    for (const auto& pair : attributes_of(node)) entry[pair.key()] = pair.value();
    if (!node.path.empty()) entry["layer"] = node.path;
    nodes.push_back(std::move(entry));
  }
  return nodes;
}

}  // namespace qfw::codes
