#include "layers.h"

#include <algorithm>
#include <array>
#include <utility>

namespace qfw::aqt {
namespace {

using Type = Object::Type;

struct BoundKey {
  const char* name;
  Type type;
  bool nullable;
  const char* fallback;  ///< of the original's automatic bounds
};

constexpr std::array<BoundKey, 15> bound_keys = {{
    {"initial_bound", Type::number, false, "-1"},
    {"granularity", Type::text, false, "per_channel"},
    {"stddev_coeff", Type::number, false, "3"},
    {"absdev_coeff", Type::number, false, "3"},
    {"mix_coeff", Type::number, false, "0"},
    {"reset_stats", Type::boolean, false, "false"},
    {"ema_coeff", Type::number, true, "0.1"},
    {"use_cams", Type::boolean, false, "false"},
    {"exclude_zeros", Type::boolean, false, "true"},
    {"use_mean_of_max", Type::boolean, false, "true"},
    {"cams_coeff", Type::number, true, "none"},
    {"cams_stddev_coeff", Type::number, true, "none"},
    {"mean_of_max_coeff", Type::number, true, "none"},
    {"fixed_bound", Type::number, true, "none"},
    {"use_old_code", Type::boolean, false, "true"},
}};

void read_bounds(Object& act, LayerQuantization& layer) {
  const boost::json::value* value = act.find("bounds");
  if (value == nullptr) return;
  if (!value->is_object()) {
    layer.bounds = act.scalar("bounds", Type::number, true, layer.bounds);
    layer.get_bounds.clear();
    return;
  }
  Object bounds = act.object("bounds");
  layer.bounds = {"auto", act.path("bounds")};
  for (const BoundKey& key : bound_keys) {
    const auto parent = layer.get_bounds.find(key.name);
    const Item fallback = parent != layer.get_bounds.end() ? parent->second : Item{key.fallback, act.path("bounds")};
    layer.get_bounds[key.name] = bounds.scalar(key.name, key.type, key.nullable, fallback);
  }
  bounds.finish();
}

/// Of an object that may carry weight_prec, quant_act and so on; `prec` and `half_shift` stand for those of both operands.
LayerQuantization read(Object& object, LayerQuantization layer) {
  layer.weight_prec = object.scalar("weight_prec", Type::integer, true, layer.weight_prec);
  layer.weight_half_shift = object.scalar("weight_half_shift", Type::boolean, false, layer.weight_half_shift);
  layer.type = object.scalar("quant_type", Type::text, false, layer.type);
  layer.granularity = object.scalar("weight_quant_granularity", Type::text, false, layer.granularity);
  const boost::json::value* act = object.find("quant_act");
  if (act == nullptr) return layer;
  if (act->is_null()) {
    layer.bounds = {"none", object.path("quant_act")};
    layer.act_prec = {"none", object.path("quant_act")};
    layer.get_bounds.clear();
    layer.null_acts = true;
    return layer;
  }
  layer.null_acts = false;
  Object quant_act = object.object("quant_act");
  read_bounds(quant_act, layer);
  layer.act_prec = quant_act.scalar("prec", Type::integer, true, layer.act_prec);
  layer.act_half_shift = quant_act.scalar("half_shift", Type::boolean, false, layer.act_half_shift);
  layer.distribution = quant_act.scalar("input_distribution", Type::text, false, layer.distribution);
  quant_act.finish();
  return layer;
}

using Keys = std::vector<std::pair<std::string, Item>>;

/// The options that matter to a layer: those of what it leaves a float are left out.
Keys keys_of(const LayerQuantization& layer) {
  const auto is_set = [](const Item& flag) { return flag.value == "true"; };
  // A precision of activations that have no bounds says that quant_act is null, so that the file can be written again.
  const Item act_prec = layer.null_acts ? Item{"8", layer.act_prec.origin} : layer.act_prec;
  Keys keys = {{"bounds", layer.bounds}, {"weight_prec", layer.weight_prec}, {"act_prec", act_prec}};
  if (layer.weights() || is_set(layer.weight_half_shift)) keys.emplace_back("weight_half_shift", layer.weight_half_shift);
  if (layer.weights()) keys.emplace_back("weight_quant_granularity", layer.granularity);
  if (layer.acts() || is_set(layer.act_half_shift)) keys.emplace_back("act_half_shift", layer.act_half_shift);
  if (layer.weights() || layer.acts()) keys.emplace_back("quant_type", layer.type);
  for (const BoundKey& key : bound_keys) {
    if (layer.automatic()) keys.emplace_back(key.name, layer.get_bounds.at(key.name));
  }
  return keys;
}

/// The most frequent value of each key, of equals the first.
Keys common_keys(const std::vector<Keys>& layers) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::pair<Item, int>>> counts;
  for (const Keys& keys : layers) {
    for (const auto& [key, item] : keys) {
      auto& values = counts[key];
      if (values.empty()) order.push_back(key);
      const auto known =
          std::find_if(values.begin(), values.end(), [&item = item](const auto& v) { return v.first.value == item.value; });
      if (known == values.end()) {
        values.emplace_back(item, 1);
      } else {
        ++known->second;
      }
    }
  }
  Keys common;
  for (const std::string& key : order) {
    const auto& values = counts[key];
    const auto most =
        std::max_element(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    common.emplace_back(key, most->first);
  }
  return common;
}

/// Name of the preset, and the bounds it implies.
std::pair<const char*, const char*> preset(const std::vector<NamedLayer>& layers) {
  const auto any = [&](auto what) {
    return std::any_of(layers.begin(), layers.end(), [&](const NamedLayer& layer) { return what(layer.quantization); });
  };
  if (any([](const LayerQuantization& q) { return q.automatic(); })) return {"weights_and_auto_acts", "auto"};
  if (any([](const LayerQuantization& q) { return q.acts(); })) return {"weights_and_fixed_acts", "6"};
  if (any([](const LayerQuantization& q) { return q.weights(); })) return {"weights_only", "none"};
  return {"none", "none"};
}

}  // namespace

LayerQuantization LayerQuantization::defaults() {
  const Item none{"none", "default"}, off{"false", "default"};
  return {none, off, {"per_channel", "default"}, {"fake_quant", "default"}, none, none, off, none, {}};
}

LayerQuantization read_layer(Object& object, const LayerQuantization& parent) { return read(object, parent); }

LayerQuantization read_globals(Object& top) {
  LayerQuantization layer = LayerQuantization::defaults();
  layer.weight_prec = layer.act_prec = top.scalar("prec", Type::integer, true, layer.act_prec);
  layer.weight_half_shift = layer.act_half_shift = top.scalar("half_shift", Type::boolean, false, layer.act_half_shift);
  return read(top, layer);
}

std::vector<Format::Setting> quantizer_settings(const std::vector<NamedLayer>& layers, const Item& bound_start,
                                                const Item& bound_freq, const Item& weight_start) {
  const auto [name, implied_bounds] = preset(layers);
  std::vector<Format::Setting> settings = {{"quantizer", "name", name, "model_hparams"}};
  if (std::string_view(name) == "none") return settings;
  std::vector<Keys> keys;
  for (const NamedLayer& layer : layers) keys.push_back(keys_of(layer.quantization));
  const Keys common = common_keys(keys);
  for (const auto& [key, item] : common) {
    if (key != "bounds" || item.value != implied_bounds) settings.push_back({"quantizer", key, item.value, item.origin});
  }
  settings.push_back({"quantizer", "weight_quant_start_step", weight_start.value, weight_start.origin});
  if (std::string_view(implied_bounds) == "auto") {
    settings.push_back({"quantizer", "activation_bound_start_step", bound_start.value, bound_start.origin});
    settings.push_back({"quantizer", "activation_bound_update_freq", bound_freq.value, bound_freq.origin});
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    for (const auto& [key, item] : keys[i]) {
      const auto global =
          std::find_if(common.begin(), common.end(), [&, &key = key](const auto& other) { return other.first == key; });
      if (global->second.value != item.value) settings.push_back({"layer:" + layers[i].path, key, item.value, item.origin});
    }
  }
  return settings;
}

}  // namespace qfw::aqt
