#include "inspect/explanation_json.h"

#include <boost/json.hpp>

namespace qfw {

namespace {

namespace json = boost::json;

json::array to_json(const Shape& shape) {
  json::array extents;
  for (const auto extent : shape) extents.push_back(extent);
  return extents;
}

json::object to_json(const Arithmetic& arithmetic) {
  json::object object;
  object["integer"] = arithmetic.integer();
  object["input"] = name_of(arithmetic.src);
  object["weights"] = name_of(arithmetic.weights);
  object["sums"] = name_of(arithmetic.sums);
  object["reason"] = arithmetic.integer() ? json::value(nullptr) : json::value(arithmetic.reason);
  return object;
}

json::object to_json(const Explanation::LayerRow& layer) {
  const bool integer = layer.training.integer() && layer.evaluation.integer();
  json::object row;
  row["path"] = layer.path;
  row["op"] = layer.op;
  row["input"] = to_json(layer.src);
  row["weights"] = to_json(layer.weights);
  row["output"] = to_json(layer.dst);
  row["multiplications"] = layer.multiplications;
  row["weight_bits"] = bits_json(layer.weight_bits);
  row["act_bits"] = bits_json(layer.act_bits);
  row["integer"] = integer;
  row["reason"] =
      integer ? json::value(nullptr) : json::value((layer.evaluation.integer() ? layer.training : layer.evaluation).reason);
  row["training"] = to_json(layer.training);
  row["evaluation"] = to_json(layer.evaluation);
  row["integer_backward"] = layer.integer_backward;
  row["products_in_a_sum"] = layer.products;
  row["largest_sum"] = layer.largest_sum ? json::value(*layer.largest_sum) : json::value(nullptr);
  return row;
}

}  // namespace

json::value bits_json(int bits) { return bits == 0 ? json::value(nullptr) : json::value(bits); }

json::array layers_json(const Explanation& explanation) {
  json::array layers;
  for (const auto& layer : explanation.layers) layers.push_back(to_json(layer));
  return layers;
}

json::array stash_json(const std::vector<Stash::Row>& rows) {
  json::array values;
  for (const Stash::Row& value : rows) {
    json::object row;
    row["layer"] = value.layer;
    row["op"] = value.op;
    row["dtype"] = name_of(value.type.dtype);
    row["shape"] = to_json(value.type.shape);
    row["bytes"] = value.bytes();
    values.push_back(std::move(row));
  }
  return values;
}

}  // namespace qfw
