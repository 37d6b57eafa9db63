#include <stdexcept>

#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/communicator.h"
#include "qfw/dataset.h"
#include "qfw/error.h"
#include "qfw/layer.h"
#include "qfw/layers.h"
#include "qfw/optimizer.h"
#include "qfw/plugin.h"
#include "qfw/quantizer.h"
#include "qfw/schedule.h"

// One plugin of each kind that throws whatever it is told to from the method it is told to, and behaves until then.
namespace {

using namespace qfw;

struct OfItsOwn {};

class Thrower {
 public:
  struct Options {
    std::string from, what = "int";

    static void declare(Declare<Options>& option) {
      option("from", &Options::from, "the method that throws");
      option("what", &Options::what, "what it throws", {.choices = {"int", "text", "exception", "own", "error"}});
    }
  };
  explicit Thrower(const Options& options) : options_(options) { at("constructor"); }

 protected:
  bool told(const char* what) const { return options_.from == what; }
  void at(const char* method) const {
    if (options_.from != method) return;
    if (options_.what == "int") throw 42;
    if (options_.what == "text") throw "no licence";
    if (options_.what == "exception") throw std::runtime_error("no licence");
    if (options_.what == "own") throw OfItsOwn();
    fail(Error::Category::device, "thrower", "no licence");
  }

 private:
  Options options_;
};

struct Rate final : Schedule, Thrower {
  using Options = Thrower::Options;
  using Thrower::Thrower;
  double value(const Clock& clock) const override {
    if (clock.step == 2) at("value");
    return 0.01;
  }
};

struct Floats final : Quantizer, Thrower {
  using Options = Thrower::Options;
  using Thrower::Thrower;
  Phase phase(const Clock&) const override {
    at("phase");
    return 0;
  }
  std::string phase_name(Phase) const override {
    at("phase_name");
    return "float";
  }
  Operand quantize(GraphBuilder&, const MatmulSite&, Role role, Value operand, Phase) const override {
    if (role == Role::weights) at("quantize");
    return operand;
  }
};

struct Images final : Dataset, Thrower {
  using Options = Thrower::Options;
  using Thrower::Thrower;
  std::int64_t classes() const override {
    at("classes");
    return 2;
  }
  Shape shape() const override {
    at("shape");
    return {4, 4, 1};
  }
  std::int64_t size(std::string_view) const override {
    at("size");
    return 64;
  }
  Example get(std::string_view, std::int64_t index) const override {
    if (index == 17) at("get");
    static const std::byte pixels[16] = {};
    return {.shape = told("few bytes") ? Shape{4, 4, 3} : Shape{4, 4, 1}, .bytes = pixels, .label = index % 2};
  }
  std::string class_name(std::int64_t label) const override {
    at("class_name");
    return Dataset::class_name(label);
  }
};

struct Prepare final : Augment, Thrower {
  using Options = Thrower::Options;
  using Thrower::Thrower;
  Shape output(const Shape&) const override {
    at("output");
    return {4, 4, 1};
  }
  void apply(const Example&, RandomStream&, bool, std::span<float> image) const override {
    at("apply");
    std::fill(image.begin(), image.end(), 0.5f);
  }
};

struct Net final : Layer, Thrower {
  using Options = Thrower::Options;
  using Thrower::Thrower;
  Value build(GraphBuilder& g, Value x, std::int64_t classes) const override {
    const Value hidden = layers::conv(g, "first", x, {.features = 2});
    const auto scope = g.scope("second");
    at("build");
    return layers::linear(g, "dense", mean_over_space(hidden), {.features = classes});
  }
};

struct Descent final : Optimizer, Thrower {
  using Options = Thrower::Options;
  using Thrower::Thrower;
  void update(GraphBuilder& g, Value parameter, Value gradient, Value rate) const override {
    at("update");
    g.assign(parameter, parameter - rate * gradient);
  }
};

/// Computes nothing.
struct Idle final : Executable, Thrower {
  using Thrower::Thrower;
  void run(Step, std::span<const HostView>, std::span<const HostTensor>) override { at("run"); }
  void profile(bool) override {}
  std::vector<Task> tasks() const override { return {}; }
  std::span<const Interval> intervals() const override { return {}; }
  std::int64_t arena_bytes() const override { return 0; }
};
struct Device final : Backend, Thrower {
  using Options = Thrower::Options;
  explicit Device(const Options& options) : Thrower(options), options_(options) {}
  std::string describe() const override {
    at("describe");
    return "nothing";
  }
  int threads() const override {
    at("threads");
    return 1;
  }
  Peak peak() const override {
    at("peak");
    return {.integer = told("a peak below zero") ? -1.0 : 0.0};
  }
  double bandwidth() const override { return told("a bandwidth below zero") ? -1 : 0; }
  Support supports(const Graph&, const Node&) const override {
    at("supports");
    return {};
  }
  std::unique_ptr<Executable> compile(const Graph&, Communicator&) override {
    at("compile");
    return std::make_unique<Idle>(options_);
  }
  void read(std::string_view, HostTensor) const override { at("read"); }
  void write(std::string_view, HostView) override { at("write"); }

 private:
  Options options_;
};

/// Two replicas in one process that never hear of each other.
struct Pair final : Communicator, Thrower {
  using Options = Thrower::Options;
  explicit Pair(const Options& options) : Thrower(options), options_(options) {}
  Pair(const Options& options, int rank) : Thrower(options), options_(options), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return told("no replicas") ? 0 : 2; }
  void all_reduce(std::span<float>, Reduction) override { at("all_reduce"); }
  void broadcast(std::span<std::byte>, int) override { at("broadcast"); }
  void barrier() override { at("barrier"); }
  int local_size() const override { return 2; }
  Communicator& local(int i) override {
    at("local");
    if (i == 0) return *this;
    if (!other_) other_ = std::make_unique<Pair>(options_, 1);
    return *other_;
  }

 private:
  Options options_;
  int rank_ = 0;
  std::unique_ptr<Pair> other_;
};

}  // namespace

QFW_PLUGIN(
    "schedule:thrower quantizer:thrower dataset:thrower augment:thrower model:thrower optimizer:thrower backend:thrower "
    "communicator:thrower",
    .name = "throwing_anything", .version = "1", .licence = "Apache-2.0", .description = "throws anything from anywhere")
(Registry& registry) {
  registry.add<Rate>("thrower", "of schedules");
  registry.add<Floats>("thrower", "of quantizers");
  registry.add<Images>("thrower", "of data sets");
  registry.add<Prepare>("thrower", "of augments");
  registry.add<Net>("thrower", "of models");
  registry.add<Descent>("thrower", "of optimizers");
  registry.add<Device>("thrower", "of backends");
  registry.add<Pair>("thrower", "of communicators");
}
