#include "hyperparameters.h"

#include <fmt/format.h>

#include <cmath>

namespace qfw::aqt {
namespace {

namespace json = boost::json;

/// 5, not 5.0: the original's epochs are whole numbers, where they are.
json::value number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
  return value;
}

json::value or_null(const std::optional<int>& value) { return value ? json::value(*value) : json::value(nullptr); }

json::object layer(const LayerSettings& layer, bool symmetric) {
  json::object object{{"weight_prec", or_null(layer.weight_prec)},
                      {"weight_half_shift", layer.weight_half_shift},
                      {"quant_act", nullptr},
                      {"quant_type", layer.quant_type}};
  if (layer.has_acts) {
    object["quant_act"] = {{"input_distribution", symmetric ? "symmetric" : "positive"},
                           {"bounds", layer.bounds},
                           {"prec", or_null(layer.act_prec)},
                           {"half_shift", layer.act_half_shift}};
  }
  return object;
}

/// In a configuration every layer has the granularity of its weights, too.
json::object config_layer(const LayerSettings& settings, bool symmetric) {
  json::object object = layer(settings, symmetric);
  object["weight_quant_granularity"] = settings.granularity;
  return object;
}

json::object no_sparsity() {
  return {{"type", "STRUCTURED_NM"}, {"prune_rate", nullptr},    {"order", "C"},       {"absolute", true},
          {"smallest", true},        {"structure_decay", false}, {"sparse_ste", false}};
}
json::object no_sparsity_spelled_out() {
  json::object object = no_sparsity();
  object["mask_decay_weight"] = 0.0;
  object["sparse_ste_weight"] = 0.0002;
  return object;
}

void add_other_models_keys(json::object& object) {
  object["act_function"] = "relu";
  for (const char* key : {"shortcut_ch_shrink_method", "shortcut_ch_expand_method", "shortcut_spatial_method"})
    object[key] = "none";
}

using WriteLayer = json::object (*)(const LayerSettings&, bool symmetric);

json::object block(const BlockSettings& settings, WriteLayer write) {
  const bool first = settings.projection.has_value();
  json::object object{{"conv_proj", nullptr}};
  if (first) object["conv_proj"] = write(*settings.projection, false);
  object["conv_se"] = write(settings.convolutions[1], true);  // of a model that has it; filled like the other convolutions
  object["conv_1"] = write(settings.convolutions[0], first);
  object["conv_2"] = write(settings.convolutions[1], false);
  object["conv_3"] = write(settings.convolutions[2], false);
  add_other_models_keys(object);
  return object;
}

json::object model(const Hyperparameters& h, WriteLayer write, const json::object& sparsity) {
  json::object dense = write(h.dense, false);
  dense["weight_quant_granularity"] = h.dense.granularity;
  dense["act_sparsity"] = dense["weight_sparsity"] = sparsity;
  json::array blocks;
  for (const BlockSettings& settings : h.blocks) blocks.push_back(block(settings, write));
  return {{"dense_layer", std::move(dense)},
          {"conv_init", write(h.init_conv, true)},
          {"residual_blocks", std::move(blocks)},
          {"filter_multiplier", h.filter_multiplier},
          {"act_function", "relu"},
          {"se_ratio", 0.5},
          {"init_group", 32}};
}

json::object training(const Hyperparameters& h) {
  json::object object;
  object["metadata"] = {{"description", "Base configuration"},
                        {"hyper_str", h.hyper_str.empty() ? json::value(nullptr) : json::value(h.hyper_str)}};
  object["base_learning_rate"] = h.base_learning_rate;
  object["momentum"] = h.momentum;
  object["weight_decay"] = h.weight_decay;
  object["lr_scheduler"] = {{"warmup_epochs", number(h.warmup_epochs)},
                            {"cooldown_epochs", number(h.cooldown_epochs)},
                            {"scheduler", h.scheduler},
                            {"num_epochs", number(h.num_epochs)},
                            {"endlr", h.endlr},
                            {"knee_lr", h.knee_lr},
                            {"knee_epochs", number(h.knee_epochs)}};
  object["optimizer"] = h.optimizer;
  object["adam"] = {{"beta1", h.beta1}, {"beta2", h.beta2}};
  object["early_stop_steps"] = h.early_stop_steps;
  object["teacher_model"] = "labels";
  object["is_teacher"] = true;
  object["seed"] = h.seed;
  object["activation_bound_update_freq"] = h.activation_bound_update_freq;
  object["activation_bound_start_step"] = h.activation_bound_start_step;
  object["weight_quant_start_step"] = h.weight_quant_start_step;
  return object;
}

void write(const json::value& value, const std::string& indent, std::string& text) {
  const std::string inner = indent + "  ";
  if (value.is_object() && !value.get_object().empty()) {
    const char* before = "{\n";
    for (const auto& [key, member] : value.get_object()) {
      text += before + inner + json::serialize(json::value(key)) + ": ";
      write(member, inner, text);
      before = ",\n";
    }
    text += "\n" + indent + "}";
  } else if (value.is_array() && !value.get_array().empty()) {
    const char* before = "[\n";
    for (const json::value& member : value.get_array()) {
      text += before + inner;
      write(member, inner, text);
      before = ",\n";
    }
    text += "\n" + indent + "]";
  } else {
    text += value.is_double() ? fmt::format("{}", value.get_double()) : json::serialize(value);
  }
}

}  // namespace

std::string pretty(const json::value& value) {
  std::string text;
  write(value, "", text);
  return text + "\n";
}

json::object Hyperparameters::hparams() const {
  json::object object = training(*this);
  object["metadata"].get_object()["last_updated_time"] = nullptr;
  object["model_hparams"] = model(*this, layer, no_sparsity_spelled_out());
  return object;
}

json::object Hyperparameters::config() const {
  json::object object = training(*this);
  // What flows down if a layer says nothing; here every layer says all of it.
  const LayerSettings common = blocks.empty() ? init_conv : blocks.front().convolutions[1];
  for (const auto& [key, value] : config_layer(common, true)) object[key] = value;
  object["prec"] = nullptr;
  object["half_shift"] = common.weight_half_shift;
  object["sparsity"] = object["act_sparsity"] = object["weight_sparsity"] = no_sparsity();
  object["conv"] = config_layer(common, true);
  json::object dense_layer = config_layer(common, false);
  dense_layer["act_sparsity"] = dense_layer["weight_sparsity"] = no_sparsity();
  object["dense_layer"] = std::move(dense_layer);
  json::object residual;
  for (const char* name : {"conv_se", "conv_proj", "conv_1", "conv_2", "conv_3"}) {
    const std::string_view word(name);
    residual[name] = config_layer(common, word == "conv_se" || word == "conv_1");
  }
  add_other_models_keys(residual);
  object["residual"] = std::move(residual);
  add_other_models_keys(object);
  object["model_hparams"] = model(*this, config_layer, no_sparsity());
  return object;
}

json::object default_bounds() {
  return {{"initial_bound", -1.0},
          {"granularity", "per_channel"},
          {"stddev_coeff", 3.0},
          {"absdev_coeff", 3.0},
          {"mix_coeff", 0.0},
          {"reset_stats", false},
          {"ema_coeff", 0.1},
          {"use_cams", false},
          {"exclude_zeros", true},
          {"use_mean_of_max", true},
          {"cams_coeff", nullptr},
          {"cams_stddev_coeff", nullptr},
          {"mean_of_max_coeff", nullptr},
          {"fixed_bound", nullptr},
          {"use_old_code", true}};
}

}  // namespace qfw::aqt
