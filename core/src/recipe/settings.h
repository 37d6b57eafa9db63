#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qfw/options.h"

/// The settings that belong to the core. Those of a plugin section stand beside the plugin's own options.
namespace qfw {

struct RunSettings {
  std::string dir;  ///< as written; Recipe::run_dir() resolves it
  std::int64_t seed = 0;
  static void declare(Declare<RunSettings>& option);
};

struct TrainSettings {
  std::optional<double> epochs;
  std::optional<std::int64_t> steps, early_stop_steps;
  std::int64_t batch_size = 128;
  std::string recompute = "none";  ///< or elementwise, integer, all, auto
  std::optional<std::int64_t> memory_limit_mib;
  std::optional<double> loss_scale;  ///< a power of two
  static void declare(Declare<TrainSettings>& option);
};

struct EvalSettings {
  std::optional<std::int64_t> batch_size;
  std::int64_t per_epoch = 4, per_epoch_late = 16;
  bool after_first_step = false;
  std::optional<std::int64_t> every_epochs;
  std::optional<std::int64_t> examples;
  static void declare(Declare<EvalSettings>& option);
};

struct CheckpointSettings {
  std::optional<std::int64_t> every_steps, every_epochs = 10;
  std::int64_t keep = 3;
  bool best = true;
  static void declare(Declare<CheckpointSettings>& option);
};

struct MetricsSettings {
  bool tensorboard = true;
  std::int64_t every_steps = 1;
  bool bounds = false;
  std::string tags = "grouped";  ///< or original
  static void declare(Declare<MetricsSettings>& option);
};

struct QuantizerSettings {
  std::string arithmetic = "fake_quant";  ///< or integer
  bool require_integer = false;
  std::string backward = "float";  ///< or int8
  static void declare(Declare<QuantizerSettings>& option);
};

struct BackendSettings {
  std::string compute = "f32";  ///< or bf16, f16
  static void declare(Declare<BackendSettings>& option);
};

struct OptimizerSettings {
  double weight_decay = 1e-4;
  static void declare(Declare<OptimizerSettings>& option);
};

struct DatasetSettings {
  std::int64_t workers = 0, prefetch = 10;
  std::optional<std::vector<std::int64_t>> shape;  ///< H, W, C
  std::optional<std::int64_t> classes, train_examples;
  std::string on_corrupt = "fail";  ///< or skip
  std::int64_t max_corrupt = 100;
  std::string cache = "none";  ///< or memory, disk
  std::int64_t cache_mib = 4096, cache_image_size = 256;
  std::string cache_dir;
  std::string train_split = "train", validation_split = "validation";
  static void declare(Declare<DatasetSettings>& option);
};

/// All of them.
struct CoreSettings {
  RunSettings run;
  TrainSettings train;
  EvalSettings eval;
  CheckpointSettings checkpoint;
  MetricsSettings metrics;
  QuantizerSettings quantizer;
  BackendSettings backend;
  OptimizerSettings optimizer;
  DatasetSettings dataset;
};

}  // namespace qfw
