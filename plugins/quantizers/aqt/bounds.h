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
    option("granularity", &O::granularity,
           "bounds = auto: bounds and statistics for each channel (the last axis) of a layer's input, or one for all of it",
           {.choices = {"per_channel", "per_tensor"}});
    option("initial_bound", &O::initial_bound,
           "bounds = auto: bounds before the first update; -1: none, activations stay floats until then");
    option("stddev_coeff", &O::stddev_coeff,
           "factor of the root of the mean square in the bound (under use_cams of the deviation from the mean)");
    option("absdev_coeff", &O::absdev_coeff, "factor of the mean absolute value in the bound");
    option("mix_coeff", &O::mix_coeff,
           "old rule: share of the term of stddev_coeff, that of absdev_coeff has the rest; unused under use_cams and "
           "use_mean_of_max",
           {.min = 0, .max = 1});
    option("reset_stats", &O::reset_stats, "begin the statistics anew after each update of bounds");
    option("ema_coeff", &O::ema_coeff,
           "weight of the newest batch in the running averages; none: 1/n, the plain average of n batches",
           {.max = 1, .above = 0});
    option("use_cams", &O::use_cams, "old rule: the bound is |mean| + stddev_coeff * deviation from the mean");
    option("exclude_zeros", &O::exclude_zeros, "leave exact zeros out of all statistics");
    option("use_mean_of_max", &O::use_mean_of_max,
           "old rule: the bound is the mean of the batches' largest |x|, unless use_cams");
    option("cams_coeff", &O::cams_coeff, "new rule: factor of |mean| + cams_stddev_coeff * deviation in the bound; none: 0");
    option("cams_stddev_coeff", &O::cams_stddev_coeff, "new rule: factor of the deviation in the term of cams_coeff; none: 0");
    option("mean_of_max_coeff", &O::mean_of_max_coeff,
           "new rule: factor of the mean of the batches' largest |x| in the bound; none: 0");
    option("fixed_bound", &O::fixed_bound, "new rule: added to the bound; none: 0");
    option("use_old_code", &O::use_old_code,
           "the rule for bounds: true: the old one, one statistic, chosen by use_cams and use_mean_of_max; false: the new one, "
           "the sum of "
           "all with their factors");
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
