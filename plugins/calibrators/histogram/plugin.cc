#include "qfw/plugin.h"

#include <algorithm>

#include "distribution.h"
#include "methods.h"

namespace {

using qfw::Calibrator;

struct NoOptions {
  static void declare(qfw::Declare<NoOptions>&) {}
};

class Max final : public Calibrator {
 public:
  using Options = NoOptions;
  explicit Max(const Options&) {}
  double bound(const Histogram& histogram, const Levels&) const override { return histogram.largest; }
};

class Percentile final : public Calibrator {
 public:
  struct Options {
    double percent = 99.9;
    static void declare(qfw::Declare<Options>& option) {
      option("percent", &Options::percent, "of the values that are not 0, those up to the bound", {.max = 100, .above = 0});
    }
  };
  explicit Percentile(const Options& options) : share_(options.percent / 100) {}
  double bound(const Histogram& histogram, const Levels&) const override {
    return std::min<double>(qfw::calibrators::Distribution(histogram).quantile(share_), histogram.largest);
  }

 private:
  double share_;
};

class MeanSquare final : public Calibrator {
 public:
  using Options = NoOptions;
  explicit MeanSquare(const Options&) {}
  double bound(const Histogram& histogram, const Levels& levels) const override {
    return qfw::calibrators::least_mean_square_bound(histogram, levels);
  }
};

class Entropy final : public Calibrator {
 public:
  using Options = NoOptions;
  explicit Entropy(const Options&) {}
  double bound(const Histogram& histogram, const Levels& levels) const override {
    return qfw::calibrators::least_entropy_bound(histogram, levels);
  }
};

}  // namespace

QFW_PLUGIN("calibrator:max calibrator:percentile calibrator:mse calibrator:kl", .name = "histogram", .version = "0.1.0",
           .licence = "Apache-2.0", .description = "bounds from histograms of magnitudes")
(qfw::Registry& registry) {
  registry.add<Max>("max", "the largest magnitude: nothing is clipped");
  registry.add<Percentile>("percentile", "a percentile of the magnitudes that are not 0");
  registry.add<MeanSquare>("mse", "the least mean square error of what the levels stand for");
  registry.add<Entropy>("kl", "the least relative entropy of the values to their levels, as TensorRT calibrates");
}
