#include "constant.h"

namespace {

class BadOption final : public qfw::Schedule {
 public:
  struct Options {
    double level = 0.5;
    static void declare(qfw::Declare<Options>& option) {
      option("level", &Options::level, "what it stays at", {.min = 1, .max = 2});  // and what it is at first?
    }
  };
  explicit BadOption(const Options& options) : level_(options.level) {}
  double value(const qfw::Clock&) const override { return level_; }

 private:
  double level_;
};

}  // namespace

QFW_PLUGIN("schedule:bad_option", .name = "bad_option", .version = "1", .licence = "Apache-2.0",
           .description = "declares a default that it does not allow")
(qfw::Registry& registry) { registry.add<BadOption>("bad_option", "never seen"); }
