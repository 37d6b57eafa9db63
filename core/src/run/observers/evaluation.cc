#include "io/log.h"
#include "qfw/error.h"
#include "run/evaluation_record.h"
#include "run/observers/observers.h"

namespace qfw {

namespace {

class Evaluation final : public RunObserver {
  void evaluated(const RunView& run, const EvaluationResult& evaluation) override try {
    write_evaluation(run, evaluation);
    warned_ = false;
  } catch (const Error& error) {
    if (!std::exchange(warned_, true)) logger().warn("{}; training goes on without evaluation.json", error.what());
  }

  bool warned_ = false;
};

}  // namespace

std::unique_ptr<RunObserver> make_evaluation() { return std::make_unique<Evaluation>(); }

}  // namespace qfw
