#include "recipe/settings.h"

namespace qfw {

namespace {

constexpr double most_batch = 1 << 20;  ///< more is a slip

}  // namespace

void RunSettings::declare(Declare<RunSettings>& option) {
  option("dir", &RunSettings::dir, "folder of the run; empty: runs/<name of the recipe>");
  option("seed", &RunSettings::seed, "of initial values, shuffling, augmentation and random ops", {.min = 0});
}

void TrainSettings::declare(Declare<TrainSettings>& option) {
  option("epochs", &TrainSettings::epochs, "passes over the training images",
         {.max = 1e9, .above = 0, .inherits = "schedule.num_epochs"});
  option("steps", &TrainSettings::steps, "stop after this many steps, if that is earlier", {.min = 1});
  option("early_stop_steps", &TrainSettings::early_stop_steps, "another such limit, the earlier of the two counts; 0: none",
         {.min = 0});
  option("batch_size", &TrainSettings::batch_size, "images per step, over all replicas", {.min = 1, .max = most_batch});
}

void EvalSettings::declare(Declare<EvalSettings>& option) {
  option("batch_size", &EvalSettings::batch_size, "images per step of an evaluation",
         {.min = 1, .max = most_batch, .inherits = "train.batch_size"});
  option("per_epoch", &EvalSettings::per_epoch, "evaluations per epoch, the first after its first step; 0: none", {.min = 0});
  option("per_epoch_late", &EvalSettings::per_epoch_late, "the same in the last tenth of the run", {.min = 0});
  option("every_epochs", &EvalSettings::every_epochs, "one more at the end of every so many epochs", {.min = 1});
  option("examples", &EvalSettings::examples, "only the first so many; none: all", {.min = 1});
}

void CheckpointSettings::declare(Declare<CheckpointSettings>& option) {
  option("every_steps", &CheckpointSettings::every_steps, "write one after so many steps", {.min = 1});
  option("every_epochs", &CheckpointSettings::every_epochs, "write one after so many epochs", {.min = 1});
  option("keep", &CheckpointSettings::keep, "how many of the last to keep", {.min = 1});
  option("best", &CheckpointSettings::best, "keep the one of the best evaluation as well");
}

void MetricsSettings::declare(Declare<MetricsSettings>& option) {
  option("tensorboard", &MetricsSettings::tensorboard, "write an event file for TensorBoard");
  option("every_steps", &MetricsSettings::every_steps, "steps between two training entries", {.min = 1});
  option("bounds", &MetricsSettings::bounds, "the activation bounds of each layer as well");
  option("tags", &MetricsSettings::tags,
         "names of TensorBoard's curves: grouped (train/loss, eval/accuracy, layers/PATH/...), or the original's (train_loss, "
         "...)",
         {.choices = {"grouped", "original"}});
}

void QuantizerSettings::declare(Declare<QuantizerSettings>& option) {
  option("arithmetic", &QuantizerSettings::arithmetic, "of matmuls with both operands quantized",
         {.choices = {"fake_quant", "integer"}});
  option("require_integer", &QuantizerSettings::require_integer,
         "under arithmetic = integer: refuse a model with a matmul that cannot be");
}

void BackendSettings::declare(Declare<BackendSettings>& option) {
  option("compute", &BackendSettings::compute, "type of activations and matmuls", {.choices = {"f32", "bf16"}});
}

void OptimizerSettings::declare(Declare<OptimizerSettings>& option) {
  option("weight_decay", &OptimizerSettings::weight_decay, "factor of half the squares of all kernels in the loss", {.min = 0});
}

void DatasetSettings::declare(Declare<DatasetSettings>& option) {
  option("workers", &DatasetSettings::workers, "threads that prepare batches; 0: as many as compute", {.min = 0});
  option("prefetch", &DatasetSettings::prefetch, "batches prepared ahead", {.min = 1});
  option("shape", &DatasetSettings::shape, "height, width and channels of an image, where the data are not at hand",
         {.min = 1});
  option("classes", &DatasetSettings::classes, "number of classes, where the data are not at hand", {.min = 1});
  option("train_examples", &DatasetSettings::train_examples, "number of training images, where the data are not at hand",
         {.min = 1});
  option("on_corrupt", &DatasetSettings::on_corrupt,
         "examples that cannot be read: fail, or skip (training takes the next one in its place, evaluation leaves it out)",
         {.choices = {"fail", "skip"}});
  option("max_corrupt", &DatasetSettings::max_corrupt, "how many distinct ones a run may skip before it fails", {.min = 0});
  option("cache", &DatasetSettings::cache,
         "memory: keep the bytes of examples; disk: keep decoded pixels, made smaller, in a file that processes share",
         {.choices = {"none", "memory", "disk"}});
  option("cache_mib", &DatasetSettings::cache_mib, "budget of cache = memory, in MiB; examples beyond it are read every time",
         {.min = 1});
  option("cache_image_size", &DatasetSettings::cache_image_size,
         "cache = disk: shorter side of what is kept; smaller images stay as they are", {.min = 1, .max = 65500});
  option("train_split", &DatasetSettings::train_split, "the split to train on: `qfw data info` lists them");
  option("validation_split", &DatasetSettings::validation_split, "the split to evaluate on, for example test");
  option("cache_dir", &DatasetSettings::cache_dir, "cache = disk: its folder; empty: qfw below the user's cache folder");
}

}  // namespace qfw
