#include "options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "qfw/error.h"

namespace qfw::aqt {

void Options::declare(Declare<Options>& option) {
  using O = Options;
  option("bounds", &O::bounds,
         "clipping bounds of activations: none (they stay floats), a number, or auto (GetBounds statistics)",
         {.min = 0, .choices = {"none", "auto"}, .or_number = true});
  option("weight_prec", &O::weight_prec, "bits of the weights; none: they stay floats", {.min = 1, .max = 8});
  option("act_prec", &O::act_prec, "bits of the activations, where they have bounds; none: they stay floats",
         {.min = 1, .max = 8});
  option("weight_half_shift", &O::weight_half_shift, "weight codes halfway between whole numbers");
  option("act_half_shift", &O::act_half_shift, "the same for activations that can be negative");
  option("weight_quant_granularity", &O::weight_quant_granularity, "one scale per output channel, or one in all",
         {.choices = {"per_channel", "per_tensor"}});
  option("quant_type", &O::quant_type,
         "fake_quant: dequantized operands; aqt: activation scales are moved into the weights before those are quantized; "
         "fake_quant_with_int (dense layers): weights are truncated before they are rounded, and get no gradient",
         {.choices = {"fake_quant", "fake_quant_with_int", "aqt"}});
  option("activation_bound_start_step", &O::activation_bound_start_step,
         "training step that first sets automatic bounds and quantizes with them; -1: never", {.min = -1});
  option("activation_bound_update_freq", &O::activation_bound_update_freq,
         "steps from one update of automatic bounds to the next; -1: only at the start step", {.min = -1});
  option("weight_quant_start_step", &O::weight_quant_start_step,
         "EPOCH from which convolution weights are quantized; dense weights are from the first step", {.min = 0});
  option("ste_ties", &O::ste_ties, "gradient of the clip where its argument equals a limit",
         {.choices = {"half", "pass", "block"}});
  option("statistics", &O::statistics,
         "of automatic bounds: always, as the original does, or until_frozen: not once no later step will use them, which is "
         "faster",
         {.choices = {"always", "until_frozen"}});
  BoundsOptions::declare(option);
}

std::optional<double> Options::number_bound() const {
  if (!act_prec || bounds == "none" || bounds == "auto") return std::nullopt;
  double number = 0;
  const char* end = bounds.data() + bounds.size();
  const auto [stop, error] = std::from_chars(bounds.data(), end, number);
  if (error != std::errc{} || stop != end || !std::isfinite(number) || number < 0) {
    fail(Error::Category::usage, "aqt", fmt::format("bounds is '{}'", bounds), {}, "choose none, auto or a number not below 0");
  }
  return number;
}

QuantType Options::type() const {
  if (quant_type == "aqt") return QuantType::aqt;
  return quant_type == "fake_quant_with_int" ? QuantType::fake_quant_with_int : QuantType::fake_quant;
}

Ties Options::ties() const {
  if (ste_ties == "pass") return Ties::pass;
  return ste_ties == "block" ? Ties::block : Ties::half;
}

void Options::check() const {
  if (activation_bound_start_step < -1) {
    fail(Error::Category::usage, "aqt", fmt::format("activation_bound_start_step is {}", activation_bound_start_step), {},
         "give a step, or -1 for never");
  }
  if (initial_bound != -1 && !(initial_bound > 0)) {
    fail(Error::Category::usage, "aqt", fmt::format("initial_bound is {}, which leaves nothing of activations", initial_bound),
         {}, "give a number above 0, or -1 for none yet");
  }
  if (activation_bound_update_freq == 0 || activation_bound_update_freq < -1) {
    fail(Error::Category::usage, "aqt", fmt::format("activation_bound_update_freq is {}", activation_bound_update_freq), {},
         "give a number of steps, or -1 for one update");
  }
}

}  // namespace qfw::aqt
