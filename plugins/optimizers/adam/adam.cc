#include <cmath>

#include "qfw/optimizer.h"
#include "qfw/plugin.h"

namespace {

using namespace qfw;

/// Kingma and Ba, arXiv 1412.6980, algorithm 1: w -= rate m^ / (sqrt(v^) + epsilon).
class Adam final : public Optimizer {
 public:
  struct Options {
    double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

    static void declare(Declare<Options>& option) {
      option("beta1", &Options::beta1, "share of the running mean of gradients that is kept from step to step",
             {.min = 0, .max = 0.9999999});
      option("beta2", &Options::beta2, "share of the running mean of squared gradients that is kept from step to step",
             {.min = 0, .max = 0.9999999});
      option("epsilon", &Options::epsilon, "added to the root of the mean of squares, which divides the step", {.min = 0});
    }
  };
  explicit Adam(const Options& options) : o_(options) {}

  void update(GraphBuilder& g, Value parameter, Value gradient, Value rate) const override {
    Value mu = g.state("mu", parameter.shape()), nu = g.state("nu", parameter.shape()), count = g.state("count", {});
    count = g.assign(count, count + 1);
    mu = g.assign(mu, (1 - o_.beta1) * gradient + o_.beta1 * mu);
    nu = g.assign(nu, (1 - o_.beta2) * (gradient * gradient) + o_.beta2 * nu);
    const Value mean = mu / correction(o_.beta1, count), square = nu / correction(o_.beta2, count);
    g.assign(parameter, parameter - rate * (mean / (sqrt(square) + o_.epsilon)));
  }

 private:
  /// 1 - beta^count = 1 - e^-2y = 2 tanh y / (1 + tanh y): the difference itself would lose most of its digits in float32.
  static Value correction(double beta, Value count) {
    if (beta == 0) return 1;
    const Value t = tanh(-0.5 * std::log(static_cast<double>(static_cast<float>(beta))) * count);
    return 2 * t / (1 + t);
  }

  Options o_;
};

}  // namespace

QFW_PLUGIN("optimizer:adam", .name = "adam", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "adaptive moment estimation")
(Registry& registry) { registry.add<Adam>("adam", "adaptive moment estimation, arXiv 1412.6980"); }
