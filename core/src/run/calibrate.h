#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "qfw/calibrator.h"
#include "run/new_run.h"
#include "run/session.h"

namespace qfw {

/// Post-training quantization: values for the bounds of layers' inputs, and of the running moments behind them, from a trained
/// network.
struct Calibration {
  struct Layer {
    std::string path;
    Grid grid;
    bool per_channel = false;
    float largest = 0;  ///< magnitude of its input
    double least_bound = 0, greatest_bound = 0;
    double clipped = 0;                    ///< share of the input's values beyond their bound
    std::int64_t channels = 0, empty = 0;  ///< of which nothing but zeros came: they get the least bound of the others
  };
  std::vector<Layer> layers;        ///< in the order of the computation
  std::vector<std::string> others;  ///< layers whose inputs have no bounds in variables
  std::int64_t images = 0;          ///< that were looked at
  VariableValues values;            ///< of all variables but those that begin anew, an optimizer's
  std::vector<Variable> variables;  ///< those of a training step
};

struct CalibrationSettings {
  std::int64_t images = 512;  ///< of the training split
  std::int64_t batches = 0;   ///< for the running moments; 0: they stay
  std::int64_t step = 0;      ///< that the new run counts as done: quantizers are asked for that phase
};

/// Of the session's recipe and a checkpoint of the same model, whatever its quantizer. Bounds are chosen from what layers take
/// in in the float network; running moments then come from the quantized one. The session's variables become the result's.
/// Throws Error::Category::usage for a recipe without bounds in variables, data for a layer that gets nothing but zeros, a
/// CheckpointError for one of another model, and Error::Category::interrupted.
Calibration calibrate(Session& session, const Checkpoint& checkpoint, const Calibrator& calibrator,
                      const CalibrationSettings& settings);

}  // namespace qfw
