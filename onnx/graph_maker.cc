#include "graph_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "qfw/error.h"
#include "qfw/op_definition.h"
#include "read_refuse.h"

namespace qfw::onnx {

namespace {

// Beyond what any network of today has, and still far from exhausting a machine.
constexpr double most_elements = double{1 << 28};    // of one value
constexpr double most_in_all = double{1 << 30} * 4;  // of all values of one image
constexpr double largest_grain = 1 << 16;

std::vector<Use*> uses_of(QuantizedSite& site) {
  return {&site.src.codes, &site.src.scale, &site.weights.codes, &site.weights.scale, &site.matmul,
          &site.sums,      &site.factor,    &site.product,       &site.backward};
}

}  // namespace

GraphMaker::GraphMaker() {
  graph_.training = false;
  graph_.may_update = false;
  graph_.summation = Summation::in_order;
}

Use GraphMaker::append(Op op, std::vector<Use> inputs, Attributes attributes, std::string_view path,
                       std::vector<TensorType> outputs) {
  for (const TensorType& type : outputs) {
    double count = 1;
    for (const std::int64_t extent : type.shape) count *= static_cast<double>(extent);
    elements_ += type.shape.rank() > 0 ? count / static_cast<double>(type.shape[0]) : count;
    if (count > most_elements || elements_ > most_in_all) {
      refuse(fmt::format("the network is too large: a value {} of {}", type.str(), name_of(op)));
    }
  }
  graph_.nodes.push_back({op, std::move(inputs), std::move(attributes), std::move(outputs), std::string(path)});
  grains_.push_back(grain_of(graph_.nodes.back()));
  return {static_cast<int>(graph_.nodes.size()) - 1, 0};
}

Use GraphMaker::add(Op op, std::vector<Use> inputs, Attributes attributes, std::string_view path) {
  std::vector<TensorType> types;
  for (const Use use : inputs) types.push_back(type(use));
  std::vector<TensorType> outputs;
  try {
    outputs = definition(op).infer(types, attributes);
  } catch (const Error& error) {
    refuse(error.what());
  }
  return append(op, std::move(inputs), std::move(attributes), path, std::move(outputs));
}

Use GraphMaker::input(std::string name, TensorType type) {
  graph_.inputs.push_back({std::move(name), type});
  return append(Op::input, {}, Slot{static_cast<int>(graph_.inputs.size()) - 1}, {}, {type});
}

Use GraphMaker::number(double value) {
  const auto [place, added] = numbers_.try_emplace(std::bit_cast<std::uint64_t>(value));
  if (added) place->second = append(Op::constant, {}, Number{value}, {}, {TensorType{{}, DType::f32}});
  return place->second;
}

Use GraphMaker::tensor(std::string name, TensorType type, std::vector<std::byte> bytes, std::string_view path) {
  graph_.tensors.push_back({std::move(name), type, std::make_shared<const std::vector<std::byte>>(std::move(bytes))});
  return append(Op::tensor, {}, Slot{static_cast<int>(graph_.tensors.size()) - 1}, path, {type});
}

double GraphMaker::grain_of_number(double value) const {
  if (value == 0) return largest_grain;
  double grain = largest_grain;
  while (grain > 0x1p-8 && value != std::floor(value / grain) * grain) grain /= 2;
  return grain > 0x1p-8 ? grain : 0;
}

double GraphMaker::grain_of(const Node& node) const {
  const auto operand = [&](std::size_t i) { return grains_[static_cast<std::size_t>(node.inputs[i].node)]; };
  switch (node.op) {
    case Op::constant:
      return grain_of_number(node.as<Number>().value);
    case Op::floor:
    case Op::round_even:
      return std::max(1.0, operand(0));
    case Op::add:
    case Op::subtract:
    case Op::minimum:
    case Op::maximum:
      return std::min(operand(0), operand(1));
    case Op::multiply:
      return std::min(operand(0) * operand(1), largest_grain);
    case Op::select:
      return std::min(operand(1), operand(2));
    case Op::less:
    case Op::less_equal:
    case Op::equal:
      return 1;
    case Op::relu:
    case Op::abs:
    case Op::negate:
    case Op::reshape:
    case Op::transpose:
    case Op::broadcast_to:
    case Op::max_pool:
    case Op::reduce_max:
    case Op::reduce_min:
      return operand(0);
    case Op::cast:  // a number that bf16 rounds has larger grains only
      return is_float(type(node.inputs[0]).dtype) ? operand(0) : 1;
    default:
      return 0;
  }
}

bool GraphMaker::fits(Use use, DType integer) {
  const Bounds bounds = bounds_.of(use);
  const double low = integer == DType::u8 ? 0 : -128, high = integer == DType::u8 ? 255 : 127;
  return grains_[static_cast<std::size_t>(use.node)] >= 1 && bounds.low >= low && bounds.high <= high;
}

Graph GraphMaker::finished(std::vector<Fetch> fetches, std::vector<QuantizedSite> sites) {
  std::vector<bool> live(graph_.nodes.size());
  for (std::size_t i = 0; i < live.size(); ++i) live[i] = graph_.nodes[i].op == Op::input;
  for (const Fetch& fetch : fetches) live[static_cast<std::size_t>(fetch.use.node)] = true;
  for (std::size_t i = live.size(); i-- > 0;) {
    if (!live[i]) continue;
    for (const Use use : graph_.nodes[i].inputs) live[static_cast<std::size_t>(use.node)] = true;
  }
  Graph result;
  result.training = graph_.training;
  result.may_update = graph_.may_update;
  result.summation = graph_.summation;
  result.inputs = std::move(graph_.inputs);
  std::vector<int> place(live.size(), -1);
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (!live[i]) continue;
    Node node = std::move(graph_.nodes[i]);
    for (Use& use : node.inputs) use.node = place[static_cast<std::size_t>(use.node)];
    if (node.op == Op::tensor) {
      result.tensors.push_back(std::move(graph_.tensors[static_cast<std::size_t>(node.as<Slot>().index)]));
      node.attributes = Slot{static_cast<int>(result.tensors.size()) - 1};
    }
    place[i] = static_cast<int>(result.nodes.size());
    result.nodes.push_back(std::move(node));
  }
  for (Fetch& fetch : fetches) fetch.use.node = place[static_cast<std::size_t>(fetch.use.node)];
  for (QuantizedSite& site : sites) {
    for (Use* use : uses_of(site)) {
      if (use->node >= 0) use->node = place[static_cast<std::size_t>(use->node)];
    }
  }
  std::erase_if(sites, [](const QuantizedSite& site) { return site.matmul.node < 0; });
  result.fetches = std::move(fetches);
  result.sites = std::move(sites);
  return result;
}

}  // namespace qfw::onnx
