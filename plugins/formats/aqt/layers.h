#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "json_object.h"
#include "qfw/format.h"

namespace qfw::aqt {

/// How one convolution or dense layer is quantized; keys named as the quantizer plugin's options.
struct LayerQuantization {
  Item weight_prec, weight_half_shift, granularity, type;
  Item bounds, act_prec, act_half_shift;   ///< bounds: none, a number or auto
  Item distribution;                       ///< none: nothing is said of it
  std::map<std::string, Item> get_bounds;  ///< of automatic bounds
  bool null_acts = false;                  ///< quant_act itself is null

  static LayerQuantization defaults();
  bool weights() const { return weight_prec.value != "none"; }
  bool automatic() const { return bounds.value == "auto"; }
  bool acts() const { return bounds.value != "none" && act_prec.value != "none"; }
};

/// Reads the keys of a layer from `object`; what it does not say comes from `parent`. Does not finish the object.
LayerQuantization read_layer(Object& object, const LayerQuantization& parent);

/// The keys that stand at the top of a configuration: `prec` and `half_shift` flow into weights and activations.
LayerQuantization read_globals(Object& top);

struct NamedLayer {
  std::string path;  ///< "stage1/block0/conv_1"
  LayerQuantization quantization;
};

/// All layers as [quantizer] with the most frequent values, and a [layer:PATH] for each layer that differs. The quantizer is
/// the preset that covers the most demanding layer.
std::vector<Format::Setting> quantizer_settings(const std::vector<NamedLayer>& layers, const Item& bound_start,
                                                const Item& bound_freq, const Item& weight_start);

}  // namespace qfw::aqt
