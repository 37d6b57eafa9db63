#include <csignal>
#include <stdexcept>
#include <thread>

#include "qfw/plugin.h"
#include "qfw/schedule.h"

namespace {

using namespace qfw;

/// Crashes before a step, or when it goes.
class Crashing final : public Schedule {
 public:
  struct Options {
    std::string how = "none";
    int step = 7;

    static void declare(Declare<Options>& option) {
      option("how", &Options::how, "in which way",
             {.choices = {"none", "segv", "fpe", "ill", "bus", "abort", "stack", "thread", "destructor"}});
      option("step", &Options::step, "before this step");
    }
  };
  explicit Crashing(const Options& options) : options_(options) {}
  ~Crashing() override { close(); }

  double value(const Clock& clock) const override {
    if (clock.step == options_.step) crash();
    return 0.01;
  }

 private:
  void close() const {
    if (options_.how == "destructor") throw std::runtime_error("not closed");
  }
  void crash() const {
    volatile int* volatile nothing = nullptr;  // a plain store that nobody reads need not happen
    const volatile char none = 0;
    if (options_.how == "segv") *nothing = 1;
    if (options_.how == "fpe") std::raise(SIGFPE);
    if (options_.how == "ill") __builtin_trap();
    if (options_.how == "bus") std::raise(SIGBUS);
    if (options_.how == "abort") std::abort();
    if (options_.how == "stack") recurse(&none);
    if (options_.how == "thread") std::thread([] { throw 42; }).join();
  }
  static int recurse(const volatile char* before) {
    const volatile char frame[4096] = {*before};
    return frame[0] != 0 ? 0 : recurse(frame) + frame[1];
  }

  Options options_;
};

}  // namespace

QFW_PLUGIN("schedule:crashing", .name = "crashing", .version = "1", .licence = "Apache-2.0",
           .description = "crashes when told to")
(Registry& registry) { registry.add<Crashing>("crashing", "crashes when told to"); }
