#include "recipe/settings.h"

namespace qfw {

namespace {

constexpr double most_batch = 1 << 20;  ///< more is a slip

}  // namespace

void RunSettings::declare(Declare<RunSettings>& option) {
  option("dir", &RunSettings::dir,
         "folder that the run is written to, and goes on from; none or empty: below runs/, by the recipe's path "
         "(recipes/fashion_mnist/none.ini: runs/fashion_mnist/none)");
  option("seed", &RunSettings::seed, "of initial values, shuffling, augmentation and random ops; another seed draws others",
         {.min = 0});
}

void TrainSettings::declare(Declare<TrainSettings>& option) {
  option("epochs", &TrainSettings::epochs, "passes over the training images; a fraction is rounded to whole steps",
         {.max = 1e9, .above = 0, .inherits = "schedule.num_epochs"});
  option("steps", &TrainSettings::steps,
         "stop after this many steps, if that is before epochs are over; the course of the schedule stays; none: no such limit",
         {.min = 1});
  option("early_stop_steps", &TrainSettings::early_stop_steps,
         "another such limit, under the original's name; the earliest counts; 0 or none: no such limit", {.min = 0});
  option("batch_size", &TrainSettings::batch_size, "images of a step, over all replicas: a multiple of their number",
         {.min = 1, .max = most_batch});
  option("recompute", &TrainSettings::recompute,
         "what of the forward pass is computed a second time, for the backward pass, instead of being kept in memory for it; "
         "results stay the same (docs/numerics.md): none: nothing; elementwise: what lies between products, from what they "
         "gave; integer: "
         "integer products as well; all: all products, from a few values in between, which takes the least memory and a second "
         "forward pass; auto: the first of these with which a step fits train.memory_limit_mib, without a limit elementwise",
         {.choices = {"none", "elementwise", "integer", "all", "auto"}});
  option(
      "memory_limit_mib", &TrainSettings::memory_limit_mib,
      "recompute = auto: MiB that all variables and a step's intermediate values may take, on each replica; a run that needs "
      "more does not start; none: no limit",
      {.min = 1});
  option(
      "loss_scale", &TrainSettings::loss_scale,
      "what the loss is multiplied by before it is differentiated, and gradients are divided by: a power of two; none: 1, and "
      "under backend.compute = f16, where small gradients would be lost, one that adapts: 65536 at first, half as much after "
      "a step whose gradients are not all finite, which changes nothing else, and twice as much after 2000 that are",
      {.min = 1, .max = 1 << 24});
}

void EvalSettings::declare(Declare<EvalSettings>& option) {
  option("batch_size", &EvalSettings::batch_size, "images evaluated at a time, over all replicas; more take more memory",
         {.min = 1, .max = most_batch, .inherits = "train.batch_size"});
  option("per_epoch", &EvalSettings::per_epoch,
         "evaluations in an epoch, each at the end of an equal part of it; 0: none; the end of training is always evaluated",
         {.min = 0});
  option("per_epoch_late", &EvalSettings::per_epoch_late, "in place of per_epoch in the last tenth of the run; 0: none",
         {.min = 0});
  option(
      "after_first_step", &EvalSettings::after_first_step,
      "per_epoch and per_epoch_late evaluate after the first step of each part of an epoch, not after its last: so first after "
      "step 1, as the original does. A part then has as many whole steps as fit, and what is left of the epoch begins further "
      "parts: 10 steps and 4 parts evaluate five times, after steps 1, 3, 5, 7 and 9");
  option("every_epochs", &EvalSettings::every_epochs, "one more at the end of every so many epochs; none: no more", {.min = 1});
  option("examples", &EvalSettings::examples, "evaluate the first so many images of the split; none: all", {.min = 1});
}

void CheckpointSettings::declare(Declare<CheckpointSettings>& option) {
  option("every_steps", &CheckpointSettings::every_steps,
         "save one every so many steps; none: not by steps; there is one at the end and after Ctrl-C in any case", {.min = 1});
  option("every_epochs", &CheckpointSettings::every_epochs, "save one every so many epochs; none: not by epochs", {.min = 1});
  option("keep", &CheckpointSettings::keep, "how many of the newest stay; older ones are removed", {.min = 1});
  option("best", &CheckpointSettings::best, "keep the state of the most accurate evaluation as well, as best.h5");
}

void MetricsSettings::declare(Declare<MetricsSettings>& option) {
  option("tensorboard", &MetricsSettings::tensorboard, "write an event file for TensorBoard into the run folder");
  option(
      "every_steps", &MetricsSettings::every_steps,
      "steps from one entry of training (loss, accuracy, learning rate, speed) to the next, in series.csv and the event file",
      {.min = 1});
  option("bounds", &MetricsSettings::bounds,
         "write what quantizers observe, such as the activation bounds of each layer, into the event file as well");
  option("tags", &MetricsSettings::tags,
         "names of TensorBoard's curves: grouped (train/loss, eval/accuracy, layers/PATH/...), or the original's (train_loss, "
         "eval_accuracy, ...)",
         {.choices = {"grouped", "original"}});
}

void QuantizerSettings::declare(Declare<QuantizerSettings>& option) {
  option("arithmetic", &QuantizerSettings::arithmetic,
         "how convolutions and dense layers with both operands quantized are computed: integer: as 8-bit integers with exact "
         "32-bit sums; fake_quant: as floats, of values on their grids (with a scale for each input channel, integers have "
         "that scale in their weights before these are quantized, so that weights differ)",
         {.choices = {"fake_quant", "integer"}});
  option(
      "require_integer", &QuantizerSettings::require_integer,
      "under arithmetic = integer: refuse a model with a layer that would be computed with floats; qfw explain says which are, "
      "and why");
  option("backward", &QuantizerSettings::backward,
         "under arithmetic = integer: how the gradient of a layer's input is computed: float: in backend.compute; int8: from "
         "the gradient of its product, stochastically rounded to 8-bit integers with a scale for each image, and the integer "
         "weights, with exact 32-bit sums; weight gradients are those of floats under both",
         {.choices = {"float", "int8"}});
}

void BackendSettings::declare(Declare<BackendSettings>& option) {
  option(
      "compute", &BackendSettings::compute,
      "type of activations and of float products: f32; bf16, half the memory with 8 significant bits; or f16, as much with 11 "
      "and less range (see train.loss_scale), for GPUs without bf16; weights, statistics, loss and updates are f32 under all",
      {.choices = {"f32", "bf16", "f16"}});
}

void OptimizerSettings::declare(Declare<OptimizerSettings>& option) {
  option("weight_decay", &OptimizerSettings::weight_decay,
         "times half the sum of squares of all kernels is added to the loss; gains, offsets and biases do not decay; 0: none",
         {.min = 0});
}

void DatasetSettings::declare(Declare<DatasetSettings>& option) {
  option("workers", &DatasetSettings::workers, "threads that read, decode and augment images; 0: as many as compute",
         {.min = 0});
  option("prefetch", &DatasetSettings::prefetch, "batches made ahead of the step that takes them; each takes memory",
         {.min = 1});
  option("shape", &DatasetSettings::shape,
         "height,width,channels of an image, so that explain and bench work where the data are not; checked where they are; "
         "none: as the data say",
         {.min = 1});
  option("classes", &DatasetSettings::classes, "number of classes, for the same purpose; none: as the data say", {.min = 1});
  option("train_examples", &DatasetSettings::train_examples,
         "number of training images, for the same purpose: it gives the steps of an epoch; none: as the data say", {.min = 1});
  option("on_corrupt", &DatasetSettings::on_corrupt,
         "what happens where an example cannot be read: fail stops the run; skip goes on (training takes the next one in its "
         "place, evaluation leaves it out)",
         {.choices = {"fail", "skip"}});
  option("max_corrupt", &DatasetSettings::max_corrupt,
         "on_corrupt = skip: how many different examples a run may skip before it fails", {.min = 0});
  option("cache", &DatasetSettings::cache,
         "what is kept from one epoch to the next: none; memory: the bytes of examples as stored; disk: decoded pixels, made "
         "smaller, in a file that processes share",
         {.choices = {"none", "memory", "disk"}});
  option("cache_mib", &DatasetSettings::cache_mib,
         "cache = memory: at most so many MiB; examples beyond them are read every time", {.min = 1});
  option("cache_image_size", &DatasetSettings::cache_image_size,
         "cache = disk: pixels of the shorter side of what is kept; smaller images stay as they are", {.min = 1, .max = 65500});
  option("train_split", &DatasetSettings::train_split, "the split to train on; `qfw data info RECIPE` lists them");
  option("validation_split", &DatasetSettings::validation_split, "the split to evaluate on, for example test");
  option("cache_dir", &DatasetSettings::cache_dir,
         "cache = disk: its folder; none or empty: qfw below the user's cache folder");
}

}  // namespace qfw
