#pragma once

#include <optional>
#include <string>

#include "bounds.h"
#include "qfw/options.h"

namespace qfw::aqt {

enum class QuantType : std::uint8_t { fake_quant, fake_quant_with_int, aqt };

/// One set of options for all presets, since the original's configurations mix them layer by layer.
struct Options : BoundsOptions {
  std::string bounds = "none";
  std::optional<int> weight_prec = 8, act_prec = 8;
  bool weight_half_shift = false, act_half_shift = false;
  std::string weight_quant_granularity = "per_channel";
  std::string quant_type = "fake_quant";
  std::int64_t activation_bound_start_step = 7500, activation_bound_update_freq = -1;
  std::int64_t weight_quant_start_step = 0;
  std::string ste_ties = "half";
  std::string statistics = "always";

  static void declare(Declare<Options>& option);

  bool auto_bounds() const { return act_prec && bounds == "auto"; }
  /// Set if activations have a fixed bound.
  std::optional<double> number_bound() const;
  Keep weight_keep() const { return weight_quant_granularity == "per_channel" ? Keep::channel : Keep::nothing; }
  QuantType type() const;
  Ties ties() const;

  /// Throws for what a range cannot say.
  void check() const;
};

}  // namespace qfw::aqt
