#include <cmath>

#include "qfw/ops.h"
#include "qfw/plugin.h"
#include "qfw/quantizer.h"

namespace {

using namespace qfw;

/// DoReFa-Net (Zhou et al., arXiv 1606.06160): weights squashed by tanh into [-1, 1], activations clipped to [0, 1], both
/// rounded to n = 2^k - 1 steps by quantize_k(x) = round(n x) / n, whose gradient passes straight through (section 2.2).
class DoReFa final : public Quantizer {
 public:
  struct Options {
    int weight_prec = 4;
    int act_prec = 4;

    static void declare(Declare<Options>& option) {
      // Half-integer codes are doubled to become integers, so that 8 bits would not fit.
      option("weight_prec", &Options::weight_prec, "k of the weights", {.min = 1, .max = 7});
      option("act_prec", &Options::act_prec, "k of the activations", {.min = 1, .max = 8});
    }
  };

  explicit DoReFa(const Options& options) : options_(options) {}

  Operand quantize(GraphBuilder&, const MatmulSite& site, Role role, Value x, Phase) const override {
    if (role == Role::src) {
      if (site.src_signed) return x;  // the images: left alone, as in the paper's section 2.7
      const float n = std::ldexp(1.f, options_.act_prec) - 1;
      return {round_even_ste(n * clip(x, 0, 1)), n, Grid{0, n}};  // section 2.4
    }
    // Section 2.3: 2 quantize_k(tanh(w) / (2 max|tanh(w)|) + 1/2) - 1 = (round(...) - n/2) / (n/2).
    const float n = std::ldexp(1.f, options_.weight_prec) - 1;
    const Value squashed = tanh(x);
    const Value unit = squashed / (2 * reduce_max(abs(squashed))) + 0.5;
    return {round_even_ste(n * unit) - n / 2, n / 2, Grid{-n / 2, n / 2}};
  }

 private:
  Options options_;
};

}  // namespace

QFW_PLUGIN("quantizer:dorefa", .name = "dorefa", .version = "1.0.0", .licence = "Apache-2.0",
           .description = "DoReFa-Net's k-bit weights and activations")
(Registry& registry) { registry.add<DoReFa>("dorefa", "DoReFa-Net, arXiv 1606.06160"); }
