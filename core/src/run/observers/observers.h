#pragma once

#include <memory>
#include <vector>

#include "run/observer.h"

namespace qfw {

std::unique_ptr<RunObserver> make_log_lines();      ///< the notes on the recipe
std::unique_ptr<RunObserver> make_run_record();     ///< recipe.ini, environment.json
std::unique_ptr<RunObserver> make_status();         ///< status.json
std::unique_ptr<RunObserver> make_setup();          ///< setup.json
std::unique_ptr<RunObserver> make_series();         ///< series.csv
std::unique_ptr<RunObserver> make_layers();         ///< layers.csv
std::unique_ptr<RunObserver> make_evaluation();     ///< evaluation.json
std::unique_ptr<RunObserver> make_event_curves();   ///< TensorBoard's event file
std::unique_ptr<RunObserver> make_progress_line();  ///< on the terminal
std::unique_ptr<RunObserver> make_report();         ///< report.json

/// Those that a recipe asks for, in the order in which they are told: the report comes last but for the
/// status, when all else is written.
std::vector<std::unique_ptr<RunObserver>> observers_of(const Recipe& recipe);

}  // namespace qfw
