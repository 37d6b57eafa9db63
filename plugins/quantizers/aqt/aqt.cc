#include "aqt.h"

#include <algorithm>
#include <limits>

#include "codes.h"
#include "qfw/error.h"

namespace qfw::aqt {

namespace {

/// (1 / s) * W with s the scale of each input channel; the codes of `src` keep the scale 1.
Value scaled_weights(const MatmulSite& site, Operand& src, Value weights) {
  if (src.scale.is_number() || src.scale.shape().count() == 1) {
    const Value scale = src.scale.is_number() ? src.scale : reshape(src.scale, {});
    src.scale = 1;
    return (scale.is_number() ? Value(1.f / static_cast<float>(scale.number())) : 1 / scale) * weights;
  }
  return 1 / Quantizer::take_src_scale(site, src) * weights;
}

}  // namespace

Aqt::Aqt(const Options& options) : options_(options), number_bound_(options.number_bound()) { options.check(); }

bool Aqt::bounds_are_set(std::int64_t last_step, const Clock& clock) const {
  if (options_.initial_bound != -1 || clock.warm_start) return true;
  return options_.activation_bound_start_step != -1 && last_step >= options_.activation_bound_start_step;
}

bool Aqt::bounds_are_due(std::int64_t step) const {
  const std::int64_t start = options_.activation_bound_start_step, every = options_.activation_bound_update_freq;
  if (start == -1 || step < start) return false;
  return every == -1 ? step == start : (step - start) % every == 0;
}

/// No step from this one on will set them.
bool Aqt::bounds_are_final(std::int64_t step) const {
  const std::int64_t start = options_.activation_bound_start_step;
  return start == -1 || (options_.activation_bound_update_freq == -1 && step > start);
}

Phase Aqt::phase(const Clock& clock) const {
  // Evaluation quantizes what the last training step did.
  const std::int64_t last_step = clock.training ? clock.step : clock.step - 1;
  const std::int64_t epoch = clock.training ? clock.epoch : std::max<std::int64_t>(last_step, 0) / clock.steps_per_epoch;
  Phase phase = 0;
  if (options_.weight_prec && epoch >= options_.weight_quant_start_step) phase |= conv_weights;
  if (number_bound_) phase |= activations;
  if (options_.auto_bounds()) {
    if (bounds_are_set(last_step, clock)) phase |= activations;
    const bool used = options_.statistics == "always" || !bounds_are_final(clock.step);
    if (clock.training && used) phase |= collecting;
    if (clock.training && bounds_are_due(clock.step)) phase |= updating_bounds;
  }
  return phase;
}

std::int64_t Aqt::next_phase_change(const Clock& clock) const {
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  const auto may_change_at = [&](std::int64_t step) {
    if (step > clock.step) next = std::min(next, step);
  };
  if (const std::int64_t epoch = options_.weight_quant_start_step; epoch <= clock.total_steps / clock.steps_per_epoch) {
    may_change_at(epoch * clock.steps_per_epoch);
  }
  const std::int64_t start = options_.activation_bound_start_step, every = options_.activation_bound_update_freq;
  if (!options_.auto_bounds() || start == -1) return next;
  may_change_at(start);
  may_change_at(start + 1);
  if (every == -1 || clock.step < start) return next;
  const std::int64_t update = start + (clock.step - start) / every * every;  // the last one so far
  may_change_at(update + 1);
  may_change_at(update + every);
  return next;
}

std::string Aqt::phase_name(Phase phase) const {
  std::string name;
  const auto add = [&](const char* part) { name += (name.empty() ? "" : ", ") + std::string(part); };
  if ((phase & conv_weights) != 0) {
    add("weights");
  } else if (options_.weight_prec) {
    add("dense weights only");
  }
  if ((phase & activations) != 0) add("activations");
  if ((phase & updating_bounds) != 0) {
    add("updating bounds");
  } else if ((phase & collecting) != 0) {
    add("collecting");
  }
  return name.empty() ? "float" : name;
}

/// Under the name that the original's curves have.
std::vector<Quantizer::Observed> Aqt::observed() const {
  if (!options_.auto_bounds()) return {};
  return {{"src/bounds", "GetBounds_0/bounds"}};
}

Operand Aqt::quantize(GraphBuilder& g, const MatmulSite& site, Role role, Value operand, Phase phase) const {
  if (options_.type() == QuantType::fake_quant_with_int && !site.is_dense()) {
    fail(Error::Category::usage, "aqt", "quant_type = fake_quant_with_int is asked for a convolution", "layer " + site.path,
         "it exists for dense layers: set it in their own section, as [layer:dense]");
  }
  return role == Role::weights ? quantize_weights(site, operand, phase) : quantize_activations(g, site, operand, phase);
}

bool Aqt::quantizes_weights(const MatmulSite& site, Phase phase) const {
  return options_.weight_prec && (site.is_dense() || (phase & conv_weights) != 0);
}

Operand Aqt::quantize_weights(const MatmulSite& site, Value weights, Phase phase) const {
  if (!quantizes_weights(site, phase)) return weights;
  const Levels levels(*options_.weight_prec, true, options_.weight_half_shift, options_.ties());
  const Value scale = levels.scale(weight_bound(weights, options_.weight_keep()));
  const bool truncate = options_.type() == QuantType::fake_quant_with_int;
  return {truncate ? levels.truncated_codes(weights * scale) : levels.codes(weights * scale), scale, levels.grid()};
}

Operand Aqt::quantize_activations(GraphBuilder& g, const MatmulSite& site, Value x, Phase phase) const {
  Value bound = 0;
  if (number_bound_) {
    bound = *number_bound_;
  } else if (options_.auto_bounds()) {
    GetBounds get_bounds(g, options_, x.shape().channels());
    if (g.training() && (phase & collecting) != 0) get_bounds.step(x, (phase & updating_bounds) != 0);
    bound = get_bounds.bounds();
  }
  if ((phase & activations) == 0) return x;
  const Levels levels(*options_.act_prec, site.src_signed, options_.act_half_shift, options_.ties());
  const Value scale = levels.scale(bound);
  return {levels.codes(x * scale), scale, levels.grid()};
}

std::pair<Operand, Operand> Aqt::quantize_both(GraphBuilder& g, const MatmulSite& site, Value src, Value weights, Phase phase,
                                               bool integer) const {
  if (options_.type() != QuantType::aqt) return Quantizer::quantize_both(g, site, src, weights, phase, integer);
  Operand quantized_src = [&] {
    const auto scope = g.scope("src");
    return quantize(g, site, Role::src, src, phase);
  }();
  const auto scope = g.scope("weights");
  if (quantized_src.grid && quantizes_weights(site, phase)) weights = scaled_weights(site, quantized_src, weights);
  return {quantized_src, quantize(g, site, Role::weights, weights, phase)};
}

}  // namespace qfw::aqt
