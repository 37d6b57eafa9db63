#include "run/setup.h"

#include "io/log.h"
#include "qfw/error.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class Setup final : public RunObserver {
  void started(const RunView& run) override try { write_setup(run); } catch (const Error& error) {
    logger().warn("{}; training goes on without setup.json", error.what());
  }
};

}  // namespace

std::unique_ptr<RunObserver> make_setup() { return std::make_unique<Setup>(); }

}  // namespace qfw
