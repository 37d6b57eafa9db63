#include "options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "qfw/error.h"

namespace qfw::aqt {

void Options::declare(Declare<Options>& option) {
  using O = Options;
  option(
      "bounds", &O::bounds,
      "where activations are clipped: none: nowhere, they stay floats; a number: at this magnitude; auto: at bounds set from "
      "running statistics (GetBounds)",
      {.min = 0, .choices = {"none", "auto"}, .or_number = true});
  option("weight_prec", &O::weight_prec, "bits of weights; none: they stay floats", {.min = 1, .max = 8});
  option("act_prec", &O::act_prec, "bits of activations, where bounds say how they are clipped; none: they stay floats",
         {.min = 1, .max = 8});
  option("weight_half_shift", &O::weight_half_shift,
         "codes of weights lie halfway between whole numbers: -0.5 and 0.5, with no code for 0");
  option("act_half_shift", &O::act_half_shift, "the same for codes of activations that can be negative; others start at 0");
  option("weight_quant_granularity", &O::weight_quant_granularity,
         "a scale of weights for each output channel, or one for the layer", {.choices = {"per_channel", "per_tensor"}});
  option("quant_type", &O::quant_type,
         "how the operands of a product are made: fake_quant: each is quantized on its own; aqt: scales of activations go into "
         "the "
         "weights before those are quantized; "
         "fake_quant_with_int (dense layers): weights are truncated before they are rounded, and get no gradient",
         {.choices = {"fake_quant", "fake_quant_with_int", "aqt"}});
  option("activation_bound_start_step", &O::activation_bound_start_step,
         "bounds = auto: number of the training step, from 0, that first sets bounds and quantizes with them; -1: never",
         {.min = -1});
  option("activation_bound_update_freq", &O::activation_bound_update_freq,
         "bounds = auto: steps from one update of bounds to the next; -1: they are set once, at activation_bound_start_step",
         {.min = -1});
  option(
      "weight_quant_start_step", &O::weight_quant_start_step,
      "the EPOCH, whatever the name says, from which weights of convolutions are quantized; those of dense layers always are",
      {.min = 0});
  option("ste_ties", &O::ste_ties,
         "gradient of the clip where a value lies exactly on a limit: half of it passes (the original), all of it, or nothing",
         {.choices = {"half", "pass", "block"}});
  option("statistics", &O::statistics,
         "bounds = auto: collect statistics always, as the original does, or until_frozen: until no later step will use them, "
         "which is faster and changes no other value",
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
