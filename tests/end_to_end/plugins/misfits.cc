#include <cmath>
#include <limits>

#include "qfw/augment.h"
#include "qfw/layer.h"
#include "qfw/layers.h"
#include "qfw/ops.h"
#include "qfw/plugin.h"
#include "qfw/quantizer.h"
#include "qfw/schedule.h"

// Plugins that run and are wrong in what they return; and one that is right.
namespace {

using namespace qfw;

/// Quantizes to -7 ... 7 by the largest magnitude, and spoils the codes of one operand, or other things, from a step on.
class OffGrid final : public Quantizer {
 public:
  struct Options {
    std::string how = "none";
    std::int64_t step = 0;

    static void declare(Declare<Options>& option) {
      option("how", &Options::how, "what is wrong",
             {.choices = {"none", "fraction", "beyond", "nan", "grid", "half_grid", "scale", "shape", "variables", "throws",
                          "only_evaluation", "observed"}});
      option("step", &Options::step, "from which step on", {.min = 0});
    }
  };
  explicit OffGrid(const Options& options) : o_(options) {}

  Phase phase(const Clock& clock) const override {
    if (o_.how == "only_evaluation") return clock.training ? 0 : 1;
    return clock.step - (clock.training ? 0 : 1) >= o_.step ? 1 : 0;
  }
  std::vector<Observed> observed() const override {
    if (o_.how != "observed") return {};
    return {{"src/none_such", "none_such"}};
  }
  Operand quantize(GraphBuilder& g, const MatmulSite& site, Role role, Value x, Phase phase) const override {
    const float top = 7;
    const Value scale = stop_gradient(top / (reduce_max(abs(x)) + 1e-6));
    const Value codes = round_even_ste(clip(x * scale, -top, top));
    const Operand right(codes, scale, Grid{-top, top});
    const bool wrong = phase == 1 && role == Role::weights && site.path.ends_with("conv_1");
    if (!wrong) return right;
    if (o_.how == "variables") g.state("count", {});
    if (o_.how == "throws") throw std::exception();
    if (o_.how == "fraction" || o_.how == "only_evaluation") return {codes * 0.9, scale, Grid{-top, top}};
    if (o_.how == "beyond") return {codes + 3, scale, Grid{-top, top}};
    if (o_.how == "nan") return {select(codes < 0, std::numeric_limits<double>::quiet_NaN(), codes), scale, Grid{-top, top}};
    if (o_.how == "grid") return {codes, scale, Grid{top, -top}};
    if (o_.how == "half_grid") return {codes, scale, Grid{-top, top + 0.5f}};
    if (o_.how == "scale") return {codes, broadcast_to(scale, {site.weights.shape.channels() + 1}), Grid{-top, top}};
    if (o_.how == "shape") return {reshape(codes, {codes.shape().count()}), scale, Grid{-top, top}};
    return right;
  }

 private:
  Options o_;
};

/// Learned step size quantization (Esser et al., arXiv 1902.08153) of both operands: steps start from the first batch.
class LearnedStep final : public Quantizer {
 public:
  struct Options {
    static void declare(Declare<Options>&) {}
  };
  explicit LearnedStep(const Options&) {}

  Phase phase(const Clock& clock) const override { return clock.step == 0 && clock.training ? 0 : 1; }
  std::string phase_name(Phase phase) const override { return phase == 0 ? "setting steps" : "learning steps"; }
  std::vector<Observed> observed() const override {
    return {{"src/step", "LearnedStep/src"}, {"weights/step", "LearnedStep/weights"}};
  }
  Operand quantize(GraphBuilder& g, const MatmulSite& site, Role role, Value x, Phase phase) const override {
    const bool is_signed = role == Role::weights || site.src_signed;
    const float high = is_signed ? 7 : 15, low = is_signed ? -8 : 0;
    Value step = g.parameter("step", {}, Init::constant(1e6));  // of no use until it is set
    if (phase == 0) step = g.assign(step, stop_gradient(2 * all_reduce(mean(abs(x)), Across::mean) / std::sqrt(high)));
    const double factor = 1 / std::sqrt(static_cast<double>(x.shape().count()) * high);
    const Value learned = scale_gradient(step, factor);
    return {round_even_ste(clip(x / learned, low, high)), 1 / learned, Grid{low, high}};
  }
};

/// A rate that is as told from a step on.
class Odd final : public Schedule {
 public:
  struct Options {
    double becomes = 0.01;
    std::string instead = "becomes";
    std::int64_t step = 3;

    static void declare(Declare<Options>& option) {
      option("becomes", &Options::becomes, "the rate");
      option("instead", &Options::instead, "what no recipe can say", {.choices = {"becomes", "nan", "inf"}});
      option("step", &Options::step, "from this step on");
    }
  };
  explicit Odd(const Options& options) : o_(options) {}
  double value(const Clock& clock) const override {
    if (clock.step < o_.step) return 0.01;
    if (o_.instead == "nan") return std::numeric_limits<double>::quiet_NaN();
    return o_.instead == "inf" ? std::numeric_limits<double>::infinity() : o_.becomes;
  }

 private:
  Options o_;
};

/// A rate that says how many steps the run has: 1 / total_steps.
class Whole final : public Schedule {
 public:
  struct Options {
    static void declare(Declare<Options>&) {}
  };
  explicit Whole(const Options&) {}
  double value(const Clock& clock) const override { return 1 / static_cast<double>(clock.total_steps); }
};

/// Pixels from 0 to 1, but for one image, whose brightest are divided by nothing.
class Spoiled final : public Augment {
 public:
  struct Options {
    bool training = true;

    static void declare(Declare<Options>& option) { option("training", &Options::training, "in training; else in evaluation"); }
  };
  explicit Spoiled(const Options& options) : o_(options) {}
  Shape output(const Shape& source) const override { return source; }
  void apply(const Example& example, RandomStream&, bool training, std::span<float> image) const override {
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(example.bytes[i]) / 255;
    if (training == o_.training && example.label == 3) image[5] = std::numeric_limits<float>::infinity() * 0;
  }

 private:
  Options o_;
};

/// A dense layer, a parameter that nothing uses and one behind stop_gradient; in evaluation its logits may be as told.
class Idle final : public Layer {
 public:
  struct Options {
    bool idle = true, auxiliary = false, parameter = false;
    std::string logits = "finite";

    static void declare(Declare<Options>& option) {
      option("idle", &Options::idle, "whether there are parameters without gradient");
      option("auxiliary", &Options::auxiliary, "whether training has a layer that evaluation has not");
      option("parameter", &Options::parameter, "whether a parameter grows beyond what a float holds");
      option("logits", &Options::logits, "of an evaluation", {.choices = {"finite", "nan", "infinite", "variance", "input"}});
    }
  };
  explicit Idle(const Options& options) : o_(options) {}
  Value build(GraphBuilder& g, Value x, std::int64_t classes) const override {
    const Value pixels = reshape(x, {x.shape()[0], x.shape().count() / x.shape()[0]});
    Value logits = layers::linear(g, "dense", pixels, {.features = classes});
    if (o_.auxiliary && g.training()) logits = logits + layers::linear(g, "auxiliary", pixels, {.features = classes});
    if (o_.idle) {
      const auto scope = g.scope("idle");
      g.parameter("unused", {3}, Init::zeros());
      logits = logits + stop_gradient(g.parameter("stopped", {classes}, Init::zeros()));
    }
    const auto scope = g.scope("head");
    const Value variance = g.state("variance", {}, Init::constant(1));
    if (o_.parameter) {
      const Value factor = g.parameter("factor", {}, Init::constant(1));
      if (g.training()) g.assign(factor, factor * 1e30);  // infinite after two steps, which no loss shows
    }
    if (g.training()) {
      if (o_.logits == "variance") g.assign(variance, variance * 1e30);  // infinite after two steps; no step reads it
      return logits;
    }
    if (o_.logits == "nan") return sqrt(logits - 1e6);
    if (o_.logits == "infinite") return exp(abs(logits) + 1e6);
    if (o_.logits == "input") return logits + g.input("noise", {{classes}, DType::f32});
    return logits / variance;
  }

 private:
  Options o_;
};

}  // namespace

QFW_PLUGIN("quantizer:off_grid quantizer:learned_step schedule:odd schedule:whole augment:spoiled model:idle",
           .name = "misfits", .version = "1", .licence = "Apache-2.0", .description = "return what they should not")
(Registry& registry) {
  registry.add<OffGrid>("off_grid", "codes that are not on their grid");
  registry.add<LearnedStep>("learned_step", "steps that are learned");
  registry.add<Odd>("odd", "a rate that becomes odd");
  registry.add<Whole>("whole", "a rate made of the number of steps");
  registry.add<Spoiled>("spoiled", "images that are not finite");
  registry.add<Idle>("idle", "parameters without gradient");
}
