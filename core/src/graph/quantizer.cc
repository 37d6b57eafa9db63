#include "qfw/quantizer.h"

#include "qfw/error.h"

namespace qfw {

Value Quantizer::take_src_scale(const MatmulSite& site, Operand& src) {
  const Conv2d* conv = std::get_if<Conv2d>(&site.op);
  const std::int64_t channels = site.src.shape.channels();
  const std::int64_t groups = conv != nullptr ? conv->groups : 1, per_group = channels / groups,
                     features = site.weights.shape.channels();
  Value scale = reshape(src.scale, {channels});
  if (groups == 1) {
    scale = conv != nullptr ? reshape(scale, {1, 1, channels, 1}) : reshape(scale, {channels, 1});
  } else {  // output o reads the channels of its own group: [1, 1, I, O] with O ordered by group
    scale = reshape(transpose(reshape(scale, {groups, per_group}), {0, 1}), {per_group, groups, 1});
    scale = reshape(broadcast_to(scale, {per_group, groups, features / groups}), {1, 1, per_group, features});
  }
  src.scale = 1;
  return scale;
}

std::pair<Operand, Operand> Quantizer::quantize_both(GraphBuilder& g, const MatmulSite& site, Value src, Value weights,
                                                     Phase phase, bool integer) const {
  Operand quantized_src = [&] {
    auto scope = g.scope("src");
    return quantize(g, site, Role::src, src, phase);
  }();
  const bool per_channel = quantized_src.grid && !quantized_src.scale.is_number() && quantized_src.scale.shape().count() > 1;
  auto scope = g.scope("weights");
  if (!integer || !per_channel) return {quantized_src, quantize(g, site, Role::weights, weights, phase)};

  Operand kept = quantized_src;
  const Operand folded = quantize(g, site, Role::weights, weights / take_src_scale(site, kept), phase);
  // Weights that stay floats take no scale in: the product would not become an integer one.
  if (!folded.grid) return {quantized_src, Operand(weights)};
  return {kept, folded};
}

}  // namespace qfw
