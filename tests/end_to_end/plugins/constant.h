#pragma once

#include <cstdlib>

#include "qfw/plugin.h"
#include "qfw/schedule.h"

/// Leaves word that the library was opened: listing must not, and what is known to be wrong must never be.
#define LEAVE_WORD_WHEN_OPENED(name) \
  __attribute__((constructor)) static void leave_word() { ::setenv("QFW_TEST_OPENED_" name, "yes", 1); }

namespace {

class Constant final : public qfw::Schedule {
 public:
  struct Options {
    double level = 0.5;
    static void declare(qfw::Declare<Options>& option) { option("level", &Options::level, "what it stays at", {.min = 0}); }
  };
  explicit Constant(const Options& options) : level_(options.level) {}
  double value(const qfw::Clock&) const override { return level_; }

 private:
  double level_;
};

}  // namespace
