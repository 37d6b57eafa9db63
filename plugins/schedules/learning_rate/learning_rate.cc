#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "qfw/plugin.h"
#include "qfw/schedule.h"

/// The learning rates of google/aqt's create_learning_rate_fn, in double.
namespace {

using namespace qfw;

/// What all schedules share: the base rate, and the linear ramps at both ends that multiply it. Epochs are real numbers here.
class LearningRate : public Schedule {
 public:
  struct Options {
    double base_learning_rate = 0.1, warmup_epochs = 5, cooldown_epochs = 50, num_epochs = 250;
    std::int64_t reference_batch = 256;

    template <class Struct>
    static void declare(Declare<Struct>& option) {
      option("base_learning_rate", &Options::base_learning_rate, "the highest rate, for a batch of reference_batch images",
             {.max = 1e30, .above = 0});
      option("reference_batch", &Options::reference_batch,
             "rates are multiplied by train.batch_size / reference_batch; 0: they hold for a batch of any size", {.min = 0});
      option("warmup_epochs", &Options::warmup_epochs, "epochs of the linear rise from 0 at the start; 0: none", {.min = 0});
      option("cooldown_epochs", &Options::cooldown_epochs,
             "epochs of the linear fall to 0 at the end, a factor of what the schedule says; 0: none", {.min = 0});
      option("num_epochs", &Options::num_epochs,
             "epochs of the whole course; training takes as many unless train.epochs says otherwise", {.max = 1e9, .above = 0});
    }
  };
  explicit LearningRate(const Options& options) : o_(options) {}

  double value(const Clock& clock) const final {
    const double epoch = static_cast<double>(clock.step) / static_cast<double>(clock.steps_per_epoch);
    double rate = between_ramps(epoch);
    if (o_.warmup_epochs > 0) rate *= std::min(1.0, epoch / o_.warmup_epochs);
    if (o_.cooldown_epochs > 0) rate *= std::clamp((o_.num_epochs - epoch) / o_.cooldown_epochs, 0.0, 1.0);
    if (o_.reference_batch == 0) return rate;
    return rate * static_cast<double>(clock.batch_size) / static_cast<double>(o_.reference_batch);
  }

  std::vector<std::string> notes(const Clock& end) const final {
    const double epochs = static_cast<double>(end.step) / static_cast<double>(end.steps_per_epoch);
    const double ramps = o_.warmup_epochs + o_.cooldown_epochs;
    std::vector<std::string> notes;
    if (epochs < o_.warmup_epochs) {
      notes.push_back(fmt::format("the run ends after {:.4g} epochs, within the warm-up of {:.4g} (schedule.warmup_epochs)",
                                  epochs, o_.warmup_epochs));
    }
    if (ramps > o_.num_epochs) {
      notes.push_back(
          fmt::format("warm-up and cool-down take {:.4g} + {:.4g} of {:.4g} epochs, so the rate never reaches its base "
                      "(schedule.warmup_epochs, cooldown_epochs, num_epochs)",
                      o_.warmup_epochs, o_.cooldown_epochs, o_.num_epochs));
    }
    if (epochs > 1.001 * o_.num_epochs) {
      notes.push_back(
          fmt::format("the schedule ends after {:.4g} of the run's {:.4g} epochs: from there on the rate is that of its end "
                      "(schedule.num_epochs)",
                      o_.num_epochs, epochs));
    }
    return notes;
  }

 protected:
  virtual double between_ramps(double epoch) const = 0;

  const Options o_;
};

class Cosine final : public LearningRate {
 public:
  struct Options : LearningRate::Options {
    static void declare(Declare<Options>& option) { LearningRate::Options::declare(option); }
  };
  explicit Cosine(const Options& options) : LearningRate(options) {}

 private:
  double between_ramps(double epoch) const override {
    const double left = epoch - o_.warmup_epochs, length = o_.num_epochs - o_.warmup_epochs - o_.cooldown_epochs;
    const double done = length == 0 ? (left > 0 ? 1 : 0) : std::clamp(left / length, 0.0, 1.0);
    return o_.base_learning_rate * ((1 - floor_) * 0.5 * (1 + std::cos(std::numbers::pi * done)) + floor_);
  }

  static constexpr double floor_ = 0.001;  ///< the part of the base rate that is left at the end
};

class Linear final : public LearningRate {
 public:
  struct Options : LearningRate::Options {
    static void declare(Declare<Options>& option) { LearningRate::Options::declare(option); }
  };
  explicit Linear(const Options& options) : LearningRate(options) {}

 private:
  double between_ramps(double epoch) const override {
    return o_.base_learning_rate * std::max(0.0, o_.num_epochs - epoch) / o_.num_epochs;
  }
};

class Piecewise final : public LearningRate {
 public:
  struct Options : LearningRate::Options {
    double knee_lr = 1e-5, knee_epochs = 125, endlr = 0;

    static void declare(Declare<Options>& option) {
      LearningRate::Options::declare(option);
      option("knee_lr", &Options::knee_lr, "the rate at the knee, scaled as base_learning_rate is", {.min = 0});
      option("knee_epochs", &Options::knee_epochs, "the epoch of the knee, where one straight line meets the other",
             {.min = 0});
      option("endlr", &Options::endlr, "the rate at the end, scaled as base_learning_rate is", {.min = 0});
    }
  };
  explicit Piecewise(const Options& options)
      : LearningRate(options), knee_{options.knee_epochs, options.knee_lr}, end_{options.num_epochs, options.endlr} {}

 private:
  struct Point {
    double epoch, rate;
  };

  double between_ramps(double epoch) const override {
    return epoch < knee_.epoch ? on_line({0, o_.base_learning_rate}, knee_, epoch)
                               : on_line(knee_, end_, std::min(epoch, end_.epoch));
  }
  static double on_line(const Point& a, const Point& b, double epoch) {
    return b.epoch > a.epoch ? a.rate + (b.rate - a.rate) * (epoch - a.epoch) / (b.epoch - a.epoch) : b.rate;
  }

  Point knee_, end_;
};

class Step final : public LearningRate {
 public:
  struct Options : LearningRate::Options {
    double step_lr_coeff = 0.2;
    std::int64_t step_lr_intervals = 6;

    static void declare(Declare<Options>& option) {
      LearningRate::Options::declare(option);
      option("step_lr_coeff", &Options::step_lr_coeff, "factor of the rate at each step down", {.min = 0, .max = 1});
      option("step_lr_intervals", &Options::step_lr_intervals,
             "number of equally long intervals of num_epochs; the rate keeps through the first two, then falls twice at once, "
             "and once "
             "at the begin of each later one",
             {.min = 1});
    }
  };
  explicit Step(const Options& options)
      : LearningRate(options),
        coefficient_(options.step_lr_coeff),
        interval_(std::max(1.0, std::floor(options.num_epochs / static_cast<double>(options.step_lr_intervals)))) {}

 private:
  double between_ramps(double epoch) const override {
    const double steps_down = std::floor(epoch / interval_) - (epoch >= interval_ ? 1 : 0) + (epoch >= 2 * interval_ ? 1 : 0);
    return o_.base_learning_rate * std::pow(coefficient_, steps_down);
  }

  double coefficient_, interval_;
};

}  // namespace

QFW_PLUGIN("schedule:cosine schedule:linear schedule:piecewise schedule:step", .name = "learning_rate", .version = "0.1.0",
           .licence = "Apache-2.0", .description = "learning rates with linear warm-up and cool-down")
(Registry& registry) {
  registry.add<Cosine>("cosine", "half a cosine from the base rate to a thousandth of it");
  registry.add<Linear>("linear", "a straight line from the base rate to 0");
  registry.add<Piecewise>("piecewise", "two straight lines that meet at a knee");
  registry.add<Step>("step", "a constant rate that falls by a factor at whole intervals");
}
