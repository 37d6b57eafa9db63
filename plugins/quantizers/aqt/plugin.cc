#include "qfw/plugin.h"

#include "aqt.h"

namespace {

qfw::aqt::Options with_bounds(const char* bounds) {
  qfw::aqt::Options options;
  options.bounds = bounds;
  return options;
}

}  // namespace

QFW_PLUGIN("quantizer:weights_only quantizer:weights_and_fixed_acts quantizer:weights_and_auto_acts", .name = "aqt",
           .version = "0.1.0", .licence = "Apache-2.0", .description = "quantization as in google/aqt, arXiv 2105.03536")
(qfw::Registry& registry) {
  using qfw::aqt::Aqt;
  registry.add<Aqt>("weights_only", "quantized weights, float activations", with_bounds("none"));
  registry.add<Aqt>("weights_and_fixed_acts", "quantized weights and activations, these clipped at a number", with_bounds("6"));
  registry.add<Aqt>("weights_and_auto_acts", "quantized weights and activations, clipped at bounds from statistics",
                    with_bounds("auto"));
}
