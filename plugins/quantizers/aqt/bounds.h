#pragma once

#include <optional>
#include <string>

#include "qfw/builder.h"
#include "qfw/ops.h"
#include "qfw/options.h"

/// Clipping bounds of activations from running statistics (GetBounds and Stats of google/aqt).
namespace qfw::aqt {

struct BoundsOptions {
  double initial_bound = -1;
  double stddev_coeff = 3, absdev_coeff = 3, mix_coeff = 0;
  bool reset_stats = false;
  std::optional<double> ema_coeff = 0.1;
  bool use_cams = false, exclude_zeros = true, use_mean_of_max = true;
  std::optional<double> cams_coeff, cams_stddev_coeff, mean_of_max_coeff, fixed_bound;
  bool use_old_code = true;
  std::string granularity = "per_channel";

  Keep keep() const { return granularity == "per_channel" ? Keep::channel : Keep::nothing; }

  template <class Struct>
  static void declare(Declare<Struct>& option) {
    using O = BoundsOptions;
    option("granularity", &O::granularity, "of automatic bounds and their statistics; a channel is the last axis",
           {.choices = {"per_channel", "per_tensor"}});
    option("initial_bound", &O::initial_bound, "automatic bounds before the first update; -1: collect, quantize nothing");
    option("stddev_coeff", &O::stddev_coeff, "factor of the standard deviation");
    option("absdev_coeff", &O::absdev_coeff, "factor of the mean absolute value");
    option("mix_coeff", &O::mix_coeff, "old rule: weight of the standard deviation against the mean absolute value",
           {.min = 0, .max = 1});
    option("reset_stats", &O::reset_stats, "zero the statistics after each update of the bounds");
    option("ema_coeff", &O::ema_coeff, "weight of the newest batch in the running averages; none: 1/n, the plain average",
           {.max = 1, .above = 0});
    option("use_cams", &O::use_cams, "old rule: |mean| + stddev_coeff * deviation from the mean");
    option("exclude_zeros", &O::exclude_zeros, "leave exact zeros out of all statistics");
    option("use_mean_of_max", &O::use_mean_of_max, "old rule: the mean of the batches' largest |x|, unless use_cams");
    option("cams_coeff", &O::cams_coeff, "new rule: factor of |mean| + cams_stddev_coeff * deviation; none: 0");
    option("cams_stddev_coeff", &O::cams_stddev_coeff, "new rule: factor of the deviation within it; none: 0");
    option("mean_of_max_coeff", &O::mean_of_max_coeff, "new rule: factor of the mean of the batches' largest |x|; none: 0");
    option("fixed_bound", &O::fixed_bound, "new rule: added to the bound; none: 0");
    option("use_old_code", &O::use_old_code, "the old rule chooses one statistic, the new one adds all of them, weighted");
  }
};

/// The running statistics of one tensor, and the bound made of them: state in the builder's current scope, declared when this
/// is made, so that every phase has the same variables.
class GetBounds {
 public:
  GetBounds(GraphBuilder& g, const BoundsOptions& options, std::int64_t channels);

  Value bounds() const { return bounds_; }
  /// One training step, in this order: statistics of `x`, the bounds if they are due, the reset if it is asked for.
  void step(Value x, bool update_bounds);

 private:
  void collect(Value x);
  void follow(Value& average, Value batch, Value alpha);
  Value bounds_of_statistics() const;
  void reset();

  GraphBuilder& g_;
  const BoundsOptions& options_;
  Shape shape_;
  Value bounds_, n_, mean_, mean_abs_, mean_sq_, mean_batch_min_, mean_batch_max_;
};

}  // namespace qfw::aqt
