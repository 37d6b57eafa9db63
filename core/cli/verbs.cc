#include "verbs.h"

namespace qfw {

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      run_verb(),      watch_verb(), report_verb(),  runs_verb(),       eval_verb(),     predict_verb(), explain_verb(),
      bench_verb(),    data_verb(),  import_verb(),  calibrate_verb(),  export_verb(),   hparams_verb(), list_verb(),
      describe_verb(), help_verb(),  version_verb(), completion_verb(), complete_verb(),
  };
  return all;
}

}  // namespace qfw
