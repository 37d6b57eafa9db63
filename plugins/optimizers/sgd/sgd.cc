#include "qfw/optimizer.h"
#include "qfw/plugin.h"

namespace {

using namespace qfw;

/// v = g + momentum v; w -= rate v, or with Nesterov's correction w -= rate (g + momentum v) with the new v.
class Sgd final : public Optimizer {
 public:
  struct Options {
    double momentum = 0.9;
    bool nesterov = true;

    static void declare(Declare<Options>& option) {
      option("momentum", &Options::momentum,
             "share of the velocity that is kept from one step to the next; 0: plain gradient descent", {.min = 0, .max = 1});
      option("nesterov", &Options::nesterov, "Nesterov's momentum: the gradient counts as if one step of momentum ahead");
    }
  };
  explicit Sgd(const Options& options) : o_(options) {}

  void update(GraphBuilder& g, Value parameter, Value gradient, Value rate) const override {
    Value direction = gradient;
    if (o_.momentum != 0) {
      Value velocity = g.state("velocity", parameter.shape());
      velocity = g.assign(velocity, gradient + o_.momentum * velocity);
      direction = o_.nesterov ? gradient + o_.momentum * velocity : velocity;
    }
    g.assign(parameter, parameter - rate * direction);
  }

 private:
  Options o_;
};

}  // namespace

QFW_PLUGIN("optimizer:sgd", .name = "sgd", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "stochastic gradient descent")
(Registry& registry) { registry.add<Sgd>("sgd", "stochastic gradient descent with (Nesterov) momentum"); }
