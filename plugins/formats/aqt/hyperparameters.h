#pragma once

#include <array>
#include <boost/json.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qfw::aqt {

/// How the original's file describes one convolution or dense layer.
struct LayerSettings {
  std::optional<int> weight_prec, act_prec;
  bool weight_half_shift = false, act_half_shift = false;
  std::string quant_type = "fake_quant", granularity = "per_channel";
  bool has_acts = true;       ///< false: quant_act is null
  boost::json::value bounds;  ///< null, a number, or the object of automatic bounds

  bool operator==(const LayerSettings&) const = default;
};

struct BlockSettings {
  std::optional<LayerSettings> projection;    ///< of the first block of each stage
  std::array<LayerSettings, 3> convolutions;  ///< conv_1, conv_2, conv_3
};

/// The whole content of a file. What belongs to other models or to sparsity stands at its neutral values.
struct Hyperparameters {
  std::string hyper_str;  ///< empty: null
  double base_learning_rate = 0.1, momentum = 0.9, weight_decay = 1e-4;
  std::string scheduler = "cosine";
  double num_epochs = 250, warmup_epochs = 5, cooldown_epochs = 50, endlr = 0, knee_lr = 1e-5, knee_epochs = 125;
  std::string optimizer = "sgd";
  double beta1 = 0.9, beta2 = 0.999;
  std::int64_t early_stop_steps = -1, seed = 0;
  std::int64_t activation_bound_start_step = -1, activation_bound_update_freq = -1, weight_quant_start_step = 0;
  double filter_multiplier = 1;
  LayerSettings init_conv, dense;
  std::vector<BlockSettings> blocks;

  boost::json::object hparams() const;  ///< the effective hyperparameters: every layer spelled out
  boost::json::object config() const;   ///< the configuration: global keys, and the same layers
};

/// Indented by two, doubles in the shortest form that reads back as the same.
std::string pretty(const boost::json::value& value);

/// Keys of automatic bounds in the order of the original, with its defaults.
boost::json::object default_bounds();

}  // namespace qfw::aqt
