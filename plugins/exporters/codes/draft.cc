#include "draft.h"

#include <boost/json.hpp>

#include "json_text.h"

namespace qfw::codes {

Draft::Draft(const FrozenModel& model) : model(model), constants(model.graph), values(model, names) {
  for (const Node& node : model.graph.nodes) {
    if (node.op != Op::tensor) continue;
    const int number = static_cast<int>(&node - model.graph.nodes.data());
    const ConstantTensor& tensor = model.graph.tensors[static_cast<std::size_t>(node.as<Slot>().index)];
    added_[{number, 0}] = values.name({number, 0});
    contents.arrays.push_back({values.name({number, 0}), tensor.type, *tensor.bytes});
  }
}

std::string Draft::add(const std::string& name, const TensorType& type, std::vector<std::byte> bytes) {
  contents.arrays.push_back({names.take(name), type, std::move(bytes)});
  return contents.arrays.back().name;
}

boost::json::value Draft::constant(Use use, const std::string& name) {
  const HostView value = constants.value(use);
  if (node(use).op == Op::constant && value.type.shape.rank() == 0 && value.type.dtype == DType::f32)
    return json_number(value.as<float>()[0]);
  const auto [entry, is_new] = added_.try_emplace({use.node, use.output});
  if (is_new) entry->second = add(name, value.type, {value.bytes.begin(), value.bytes.end()});
  return boost::json::value(entry->second);
}

boost::json::array Draft::shape_of(Use use) const {
  boost::json::array extents;
  for (const std::int64_t extent : model.graph.type(use).shape) extents.emplace_back(extent);
  if (constants.of_images(use)) extents.at(0) = "N";
  return extents;
}

}  // namespace qfw::codes
