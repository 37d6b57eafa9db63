#pragma once

#include <vector>

#include "verb.h"

namespace qfw {

// One function and one file per verb; to add one, declare it here and name it in verbs.cc.
Verb bench_verb();
Verb calibrate_verb();
Verb complete_verb();
Verb completion_verb();
Verb data_verb();
Verb describe_verb();
Verb eval_verb();
Verb explain_verb();
Verb export_verb();
Verb help_verb();
Verb hparams_verb();
Verb import_verb();
Verb list_verb();
Verb predict_verb();
Verb report_verb();
Verb run_verb();
Verb runs_verb();
Verb version_verb();
Verb watch_verb();

/// In the order of `qfw --help`.
const std::vector<Verb>& verbs();

}  // namespace qfw
