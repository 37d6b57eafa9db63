#include "generate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <set>

#include "qfw/error.h"

namespace qfw::aqt {
namespace {

namespace json = boost::json;

[[noreturn]] void unfit(const std::string& flag, const std::string& value, const std::string& expected) {
  fail(Error::Category::usage, "aqt", fmt::format("--{} is '{}'", flag, value), {}, "give " + expected);
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// The flags given, by name.
class Flags {
 public:
  explicit Flags(std::span<const std::pair<std::string, std::string>> given) {
    const auto known = generator_flags();
    for (const auto& [name, value] : given) {
      if (std::ranges::find(known, name, &Format::Flag::name) == known.end()) {
        fail(Error::Category::usage, "aqt", fmt::format("there is no flag --{}", name), {},
             "`qfw hparams generate --help` lists them");
      }
      values_[name] = value;
    }
  }

  bool has(const std::string& name) const {
    asked_.insert(name);
    return values_.contains(name);
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    return has(name) ? values_.at(name) : otherwise;
  }
  void read(const std::string& name, double& value) const {
    if (!has(name)) return;
    const std::string& text = values_.at(name);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) unfit(name, text, "a number");
  }
  void read(const std::string& name, std::int64_t& value) const {
    if (!has(name)) return;
    const std::string& text = values_.at(name);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) unfit(name, text, "a whole number");
  }
  void read(const std::string& name, bool& value) const {
    if (!has(name)) return;
    const std::string text = upper(values_.at(name));
    if (text != "TRUE" && text != "FALSE" && !text.empty()) unfit(name, text, "true or false");
    value = text != "FALSE";  // the flag alone sets it
  }
  void read(const std::string& name, std::string& value, std::initializer_list<std::string_view> allowed) const {
    if (!has(name)) return;
    value = values_.at(name);
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
      unfit(name, value, fmt::format("one of {}", fmt::join(allowed, ", ")));
  }
  /// `none`, or 1 to 8.
  void read(const std::string& name, std::optional<int>& bits) const {
    if (!has(name)) return;
    if (values_.at(name) == "none") {
      bits.reset();
      return;
    }
    std::int64_t value = 0;
    read(name, value);
    if (value < 1 || value > 8) unfit(name, values_.at(name), "1 to 8 bits, or none");
    bits = static_cast<int>(value);
  }

  /// What nothing asked for would be lost without a word.
  void finish() const {
    const std::string target = upper(text("quant_target", "NONE"));
    for (const auto& [name, value] : values_) {
      if (asked_.contains(name)) continue;
      fail(Error::Category::usage, "aqt", fmt::format("--{}={} has no effect with --quant_target={}", name, value, target), {},
           "leave it out, or choose another quant_target");
    }
  }

 private:
  std::map<std::string, std::string> values_;
  mutable std::set<std::string> asked_;
};

json::value number_or_null(const Flags& flags, const std::string& name) {
  if (flags.text(name, "none") == "none") return nullptr;
  double value = 0;
  flags.read(name, value);
  return value;
}

json::object bounds_from(const Flags& flags) {
  json::object bounds = default_bounds();
  for (auto& [key, value] : bounds) {
    const std::string flag(key);
    if (!flags.has(flag)) continue;
    if (value.is_bool()) {
      bool on = value.get_bool();
      flags.read(flag, on);
      value = on;
    } else if (flag == "granularity") {
      std::string granularity;
      flags.read(flag, granularity, {"per_channel", "per_tensor"});
      value = granularity;
    } else if (value.is_null() || flag == "ema_coeff") {
      value = number_or_null(flags, flag);
    } else {
      double number = 0;
      flags.read(flag, number);
      value = number;
    }
  }
  return bounds;
}

enum class Target { none, weights, fixed, automatic };

Target target_of(const Flags& flags) {
  static const std::map<std::string, Target> known = {{"NONE", Target::none},
                                                      {"WEIGHTS_ONLY", Target::weights},
                                                      {"WEIGHTS_AND_FIXED_ACTS", Target::fixed},
                                                      {"WEIGHTS_AND_AUTO_ACTS", Target::automatic}};
  const std::string text = flags.text("quant_target", "NONE");
  const auto found = known.find(upper(text));
  if (found == known.end()) unfit("quant_target", text, "NONE, WEIGHTS_ONLY, WEIGHTS_AND_FIXED_ACTS or WEIGHTS_AND_AUTO_ACTS");
  return found->second;
}

struct Policy {
  Target target = Target::none;
  json::value automatic;  ///< bounds
  double fixed_bound = 6;
};

/// Changes a layer by the flags that begin with `prefix`: all layers by none, single ones by "init_", "conv_2_" and so on.
void change(LayerSettings& layer, const Flags& flags, const std::string& prefix, const Policy& policy) {
  if (flags.has(prefix + "half_shift")) {
    flags.read(prefix + "half_shift", layer.weight_half_shift);
    layer.act_half_shift = layer.weight_half_shift;
  }
  flags.read(prefix + "weight_half_shift", layer.weight_half_shift);
  flags.read(prefix + "act_half_shift", layer.act_half_shift);
  flags.read(prefix + "quant_type", layer.quant_type, {"fake_quant", "fake_quant_with_int", "aqt"});
  if (policy.target == Target::none) return;
  flags.read(prefix + "prec", layer.weight_prec);
  flags.read(prefix + "weight_prec", layer.weight_prec);
  if (policy.target == Target::weights) return;
  flags.read(prefix + "prec", layer.act_prec);
  flags.read(prefix + "act_prec", layer.act_prec);
  double bound = policy.fixed_bound;
  if (policy.target == Target::fixed) flags.read(prefix + "fixed_act_bound", bound);
  layer.has_acts = layer.act_prec.has_value();
  layer.bounds = !layer.has_acts ? json::value() : policy.target == Target::automatic ? policy.automatic : json::value(bound);
}

Policy policy_from(const Flags& flags) {
  Policy policy{.target = target_of(flags), .automatic = {}};
  if (policy.target == Target::automatic) policy.automatic = bounds_from(flags);
  if (policy.target == Target::fixed) flags.read("fixed_act_bound", policy.fixed_bound);
  return policy;
}

/// Begin the flags of single layers.
constexpr std::array<std::pair<const char*, const char*>, 6> prefixes = {{{"init_", "the first layer"},
                                                                          {"dense_", "the last layer"},
                                                                          {"conv_proj_", "conv_proj of every block"},
                                                                          {"conv_1_", "conv_1 of every block"},
                                                                          {"conv_2_", "conv_2 of every block"},
                                                                          {"conv_3_", "conv_3 of every block"}}};

std::vector<int> stages_from(const Flags& flags) {
  static const std::map<std::string, std::vector<int>> known = {{"resnet29", {2, 2, 3, 2}},
                                                                {"resnet50", {3, 4, 6, 3}},
                                                                {"resnet101", {3, 4, 23, 3}},
                                                                {"resnet152", {3, 8, 36, 3}},
                                                                {"resnet200", {3, 24, 36, 3}}};
  const std::string name = flags.text("model", "resnet50");
  const auto found = known.find(name);
  if (found == known.end()) unfit("model", name, "resnet29, resnet50, resnet101, resnet152 or resnet200");
  return found->second;
}

}  // namespace

std::vector<Format::Flag> generator_flags() {
  std::vector<Format::Flag> flags = {
      {"model", "NAME", "resnet29, resnet50 (default), resnet101, resnet152 or resnet200"},
      {"quant_target", "POLICY", "NONE (default), WEIGHTS_ONLY, WEIGHTS_AND_FIXED_ACTS or WEIGHTS_AND_AUTO_ACTS"},
      {"prec", "BITS", "of weights and activations: 1 to 8 (default 8) or none"},
      {"weight_prec", "BITS", "of weights"},
      {"act_prec", "BITS", "of activations"},
      {"half_shift", "BOOL", "codes halfway between whole numbers, of both operands"},
      {"weight_half_shift", "BOOL", "of weights"},
      {"act_half_shift", "BOOL", "of activations"},
      {"quant_type", "NAME", "fake_quant (default), aqt, or for dense layers fake_quant_with_int"},
      {"weight_quant_granularity", "NAME", "of the dense layer: per_channel (default) or per_tensor"},
      {"fixed_act_bound", "NUMBER", "WEIGHTS_AND_FIXED_ACTS: the bound (6)"},
      {"activation_bound_start_step", "STEP", "WEIGHTS_AND_AUTO_ACTS: first update of the bounds (7500)"},
      {"activation_bound_update_freq", "STEPS", "steps between updates; -1 (default): only one"},
      {"weight_quant_start_step", "EPOCH", "first epoch with quantized convolution weights (0)"},
      {"initial_bound", "NUMBER", "automatic bounds before the first update (-1)"},
      {"granularity", "NAME", "of automatic bounds: per_channel (default) or per_tensor"},
      {"stddev_coeff", "NUMBER", "automatic bounds (3)"},
      {"absdev_coeff", "NUMBER", "automatic bounds (3)"},
      {"mix_coeff", "NUMBER", "automatic bounds (0)"},
      {"reset_stats", "BOOL", "automatic bounds (false)"},
      {"ema_coeff", "NUMBER", "automatic bounds (0.1), or none"},
      {"use_cams", "BOOL", "automatic bounds (false)"},
      {"exclude_zeros", "BOOL", "automatic bounds (true)"},
      {"use_mean_of_max", "BOOL", "automatic bounds (true)"},
      {"cams_coeff", "NUMBER", "automatic bounds (none)"},
      {"cams_stddev_coeff", "NUMBER", "automatic bounds (none)"},
      {"mean_of_max_coeff", "NUMBER", "automatic bounds (none)"},
      {"fixed_bound", "NUMBER", "automatic bounds (none)"},
      {"use_old_code", "BOOL", "automatic bounds (true)"},
      {"base_learning_rate", "NUMBER", "for a batch of 256 (0.1)"},
      {"momentum", "NUMBER", "sgd (0.9)"},
      {"weight_decay", "NUMBER", "1e-4"},
      {"lr_scheduler", "NAME", "cosine (default), linear, piecewise or step"},
      {"num_epochs", "EPOCHS", "250"},
      {"warmup_epochs", "EPOCHS", "5"},
      {"cooldown_epochs", "EPOCHS", "50"},
      {"endlr", "NUMBER", "piecewise (0)"},
      {"knee_lr", "NUMBER", "piecewise (1e-5)"},
      {"knee_epochs", "EPOCHS", "piecewise (125)"},
      {"optimizer", "NAME", "sgd (default) or adam"},
      {"adam_beta1", "NUMBER", "0.9"},
      {"adam_beta2", "NUMBER", "0.999"},
      {"early_stop_steps", "STEPS", "-1 (default): none"},
      {"filter_multiplier", "NUMBER", "width of the stages (1)"},
      {"seed", "NUMBER", "0"},
      {"hyper_str", "TEXT", "a name for the configuration, kept in its metadata"},
  };
  for (const auto& [prefix, where] : prefixes) {
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{{"prec", "BITS"},
                                                                                                {"weight_prec", "BITS"},
                                                                                                {"act_prec", "BITS"},
                                                                                                {"half_shift", "BOOL"},
                                                                                                {"weight_half_shift", "BOOL"},
                                                                                                {"act_half_shift", "BOOL"},
                                                                                                {"quant_type", "NAME"},
                                                                                                {"fixed_act_bound", "NUMBER"}})
      flags.push_back({fmt::format("{}{}", prefix, name), value, fmt::format("{} of {}", name, where)});
  }
  return flags;
}

Hyperparameters generate(std::span<const std::pair<std::string, std::string>> given) {
  const Flags flags(given);
  const Policy policy = policy_from(flags);
  Hyperparameters h;
  h.hyper_str = flags.text("hyper_str", "");
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, double*>>{{"base_learning_rate", &h.base_learning_rate},
                                                              {"momentum", &h.momentum},
                                                              {"weight_decay", &h.weight_decay},
                                                              {"num_epochs", &h.num_epochs},
                                                              {"warmup_epochs", &h.warmup_epochs},
                                                              {"cooldown_epochs", &h.cooldown_epochs},
                                                              {"endlr", &h.endlr},
                                                              {"knee_lr", &h.knee_lr},
                                                              {"knee_epochs", &h.knee_epochs},
                                                              {"adam_beta1", &h.beta1},
                                                              {"adam_beta2", &h.beta2},
                                                              {"filter_multiplier", &h.filter_multiplier}}) {
    flags.read(name, *value);
  }
  flags.read("lr_scheduler", h.scheduler, {"cosine", "linear", "piecewise", "step"});
  flags.read("optimizer", h.optimizer, {"sgd", "adam"});
  flags.read("early_stop_steps", h.early_stop_steps);
  flags.read("seed", h.seed);
  flags.read("weight_quant_start_step", h.weight_quant_start_step);
  if (policy.target == Target::automatic) {
    h.activation_bound_start_step = 7500;
    flags.read("activation_bound_start_step", h.activation_bound_start_step);
    flags.read("activation_bound_update_freq", h.activation_bound_update_freq);
  }

  LayerSettings layer;
  if (policy.target != Target::none) layer.weight_prec = 8;
  if (policy.target == Target::fixed || policy.target == Target::automatic) layer.act_prec = 8;
  change(layer, flags, "", policy);
  const auto layer_with = [&](const char* prefix) {
    LayerSettings own = layer;
    // The original has it for dense layers only.
    if (own.quant_type == "fake_quant_with_int" && std::string_view(prefix) != "dense_") own.quant_type = "fake_quant";
    change(own, flags, prefix, policy);
    return own;
  };
  h.init_conv = layer_with("init_");
  h.dense = layer_with("dense_");
  flags.read("weight_quant_granularity", h.dense.granularity, {"per_channel", "per_tensor"});
  const LayerSettings projection = layer_with("conv_proj_");
  const std::array<LayerSettings, 3> convolutions = {layer_with("conv_1_"), layer_with("conv_2_"), layer_with("conv_3_")};
  for (const int blocks : stages_from(flags)) {
    for (int i = 0; i < blocks; ++i) {
      BlockSettings& block = h.blocks.emplace_back();
      block.convolutions = convolutions;
      if (i == 0) block.projection = projection;
    }
  }
  flags.finish();
  return h;
}

}  // namespace qfw::aqt
