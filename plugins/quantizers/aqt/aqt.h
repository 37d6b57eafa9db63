#pragma once

#include "options.h"
#include "qfw/quantizer.h"

namespace qfw::aqt {

/// Quantization as in google/aqt (aqt.jax_legacy): weights bounded by their largest magnitude, activations by a number or by
/// running statistics.
class Aqt final : public Quantizer {
 public:
  using Options = aqt::Options;
  explicit Aqt(const Options& options);

  /// What a phase is made of. Dense weights are quantized in every phase.
  enum Flag : Phase { conv_weights = 1, activations = 2, collecting = 4, updating_bounds = 8 };

  Phase phase(const Clock& clock) const override;
  std::int64_t next_phase_change(const Clock& clock) const override;
  std::string phase_name(Phase phase) const override;
  std::vector<Observed> observed() const override;
  Operand quantize(GraphBuilder& g, const MatmulSite& site, Role role, Value operand, Phase phase) const override;
  std::pair<Operand, Operand> quantize_both(GraphBuilder& g, const MatmulSite& site, Value src, Value weights, Phase phase,
                                            bool integer) const override;

 private:
  bool bounds_are_set(std::int64_t last_step, const Clock& clock) const;
  bool bounds_are_due(std::int64_t step) const;
  bool bounds_are_final(std::int64_t step) const;
  bool quantizes_weights(const MatmulSite& site, Phase phase) const;
  Operand quantize_weights(const MatmulSite& site, Value weights, Phase phase) const;
  Operand quantize_activations(GraphBuilder& g, const MatmulSite& site, Value x, Phase phase) const;

  Options options_;
  std::optional<double> number_bound_;
};

}  // namespace qfw::aqt
