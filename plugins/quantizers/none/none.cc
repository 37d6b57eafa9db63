#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "qfw/plugin.h"
#include "qfw/quantizer.h"

namespace {

using namespace qfw;

/// Options of the quantizers that come with qfw, with their types, limits and defaults, so that a recipe for one of them
/// becomes one for floats by a single line and a checkpoint's recipe reads the same under both.
struct Ignored {
  std::string bounds = "none";
  std::optional<int> weight_prec = 8, act_prec = 8;
  bool weight_half_shift = false, act_half_shift = false;
  std::string weight_quant_granularity = "per_channel", quant_type = "fake_quant";
  std::int64_t activation_bound_start_step = 7500, activation_bound_update_freq = -1, weight_quant_start_step = 0;
  std::string ste_ties = "half", statistics = "always";
  std::string granularity = "per_channel";
  double initial_bound = -1, stddev_coeff = 3, absdev_coeff = 3, mix_coeff = 0;
  bool reset_stats = false;
  std::optional<double> ema_coeff = 0.1;
  bool use_cams = false, exclude_zeros = true, use_mean_of_max = true;
  std::optional<double> cams_coeff, cams_stddev_coeff, mean_of_max_coeff, fixed_bound;
  bool use_old_code = true;

  static void declare(Declare<Ignored>& option) {
    using I = Ignored;
    const auto ignored = [&](const char* name, auto member, Allowed allowed = {}) {
      allowed.unused = true;
      option(name, member, "an option of the quantizers that quantize, taken and not used", allowed);
    };
    ignored("bounds", &I::bounds, {.min = 0, .choices = {"none", "auto"}, .or_number = true});
    ignored("weight_prec", &I::weight_prec, {.min = 1, .max = 8});
    ignored("act_prec", &I::act_prec, {.min = 1, .max = 8});
    ignored("weight_half_shift", &I::weight_half_shift);
    ignored("act_half_shift", &I::act_half_shift);
    ignored("weight_quant_granularity", &I::weight_quant_granularity, {.choices = {"per_channel", "per_tensor"}});
    ignored("quant_type", &I::quant_type, {.choices = {"fake_quant", "fake_quant_with_int", "aqt"}});
    ignored("activation_bound_start_step", &I::activation_bound_start_step, {.min = -1});
    ignored("activation_bound_update_freq", &I::activation_bound_update_freq, {.min = -1});
    ignored("weight_quant_start_step", &I::weight_quant_start_step, {.min = 0});
    ignored("ste_ties", &I::ste_ties, {.choices = {"half", "pass", "block"}});
    ignored("statistics", &I::statistics, {.choices = {"always", "until_frozen"}});
    ignored("granularity", &I::granularity, {.choices = {"per_channel", "per_tensor"}});
    ignored("initial_bound", &I::initial_bound);
    ignored("stddev_coeff", &I::stddev_coeff);
    ignored("absdev_coeff", &I::absdev_coeff);
    ignored("mix_coeff", &I::mix_coeff, {.min = 0, .max = 1});
    ignored("reset_stats", &I::reset_stats);
    ignored("ema_coeff", &I::ema_coeff, {.max = 1, .above = 0});
    ignored("use_cams", &I::use_cams);
    ignored("exclude_zeros", &I::exclude_zeros);
    ignored("use_mean_of_max", &I::use_mean_of_max);
    ignored("cams_coeff", &I::cams_coeff);
    ignored("cams_stddev_coeff", &I::cams_stddev_coeff);
    ignored("mean_of_max_coeff", &I::mean_of_max_coeff);
    ignored("fixed_bound", &I::fixed_bound);
    ignored("use_old_code", &I::use_old_code);
  }
};

/// Leaves every operand the float that it is.
class None final : public Quantizer {
 public:
  using Options = Ignored;
  explicit None(const Options&) {}

  std::int64_t next_phase_change(const Clock&) const override { return std::numeric_limits<std::int64_t>::max(); }
  std::string phase_name(Phase) const override { return "float"; }
  Operand quantize(GraphBuilder&, const MatmulSite&, Role, Value operand, Phase) const override { return operand; }
};

}  // namespace

QFW_PLUGIN("quantizer:none", .name = "none", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "float weights and activations")
(Registry& registry) { registry.add<None>("none", "float weights and activations, whatever the options say"); }
