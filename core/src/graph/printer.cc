#include <fmt/format.h>

#include "qfw/graph.h"

namespace qfw {

namespace {

std::string text_of(const Extent& extent) { return fmt::format("{}x{}", extent[0], extent[1]); }
std::string text_of(const Padding& padding) {
  return fmt::format("{},{}:{},{}", padding.low[0], padding.low[1], padding.high[0], padding.high[1]);
}

struct AttributePrinter {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(const Conv2d& conv) const {
    std::string text = fmt::format("stride {} padding {}", text_of(conv.stride), text_of(conv.padding));
    if (conv.groups != 1) text += fmt::format(" groups {}", conv.groups);
    return text;
  }
  std::string operator()(const Conv2dGrad& grad) const { return (*this)(grad.conv) + " of " + grad.of.str(); }
  std::string operator()(const Dense&) const { return ""; }
  std::string operator()(const Pool& pool) const {
    return fmt::format("window {} stride {} padding {}", text_of(pool.window), text_of(pool.stride), text_of(pool.padding));
  }
  std::string operator()(const Reduce& reduce) const { return "to " + reduce.to.str(); }
  std::string operator()(const Number& number) const { return fmt::format("{}", number.value); }
  std::string operator()(const Slot& slot) const { return fmt::format("#{}", slot.index); }
  std::string operator()(const Axes& axes) const { return fmt::format("axes {},{}", axes.swap[0], axes.swap[1]); }
  std::string operator()(const Epsilon& epsilon) const { return fmt::format("epsilon {}", epsilon.value); }
  std::string operator()(const Stream& stream) const { return fmt::format("stream {:016x}", stream.id); }
  std::string operator()(const Shape& shape) const { return "to " + shape.str(); }
  std::string operator()(Ties ties) const {
    return ties == Ties::half ? "ties half" : ties == Ties::pass ? "ties pass" : "ties block";
  }
  std::string operator()(Across across) const { return across == Across::sum ? "sum" : "mean"; }
  std::string operator()(DType dtype) const { return std::string("to ") + name_of(dtype); }
};

std::string text_of(Use use) {
  return use.output == 0 ? fmt::format("%{}", use.node) : fmt::format("%{}.{}", use.node, use.output);
}

}  // namespace

std::string to_string(const Attributes& attributes) { return std::visit(AttributePrinter{}, attributes); }

std::string to_string(const Graph& graph) {
  std::string text;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::string operands;
    for (const Use use : node.inputs) operands += (operands.empty() ? "" : ", ") + text_of(use);
    std::string attributes = to_string(node.attributes), types, path = node.path;
    if (node.op == Op::variable || node.op == Op::assign) path = graph.variables[node.as<Slot>().index].name;
    if (node.op == Op::input) attributes = graph.inputs[node.as<Slot>().index].name;
    if (node.op == Op::tensor) attributes = graph.tensors[node.as<Slot>().index].name;
    for (const TensorType& type : node.outputs) types += (types.empty() ? "" : ", ") + type.str();
    text += fmt::format("%{} = {}({}){} -> {}{}\n", i, name_of(node.op), operands,
                        attributes.empty() ? "" : " {" + attributes + "}", types, path.empty() ? "" : "  # " + path);
  }
  for (const auto& [variable, use] : graph.updates)
    text += fmt::format("update {} = {}\n", graph.variables[variable].name, text_of(use));
  for (const Fetch& fetch : graph.fetches) text += fmt::format("fetch {} = {}\n", fetch.name, text_of(fetch.use));
  return text;
}

}  // namespace qfw
