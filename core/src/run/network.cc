#include "run/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/pipeline.h"
#include "qfw/error.h"
#include "util/counted.h"

namespace qfw {

namespace {

Shape batch_of(std::int64_t batch, const Shape& image) { return {batch, image[0], image[1], image[2]}; }

DType compute_type(const BackendSettings& backend) {
  return backend.compute == "bf16" ? DType::bf16 : backend.compute == "f16" ? DType::f16 : DType::f32;
}

}  // namespace

RunLength run_length(const Recipe& recipe, std::int64_t train_examples, int replicas) {
  const auto& train = recipe.train();
  if (train.batch_size % replicas != 0) {
    fail(Error::Category::usage, "train",
         fmt::format("a batch of {} cannot be shared evenly by {} replicas", train.batch_size, replicas), {},
         "choose a multiple for train.batch_size");
  }
  RunLength length;
  if (train_examples > 0) {
    length.steps_per_epoch = steps_per_epoch(train_examples, train.batch_size / replicas, replicas, true);
    if (length.steps_per_epoch == 0) {
      fail(Error::Category::usage, "train",
           fmt::format("a batch of {} is more than the {}", train.batch_size, counted(train_examples, "training image")), {},
           "make train.batch_size smaller");
    }
  }
  const double epochs = train.epochs.value_or(1);
  length.total_steps = std::max<std::int64_t>(1, std::llround(epochs * static_cast<double>(length.steps_per_epoch)));
  if (train.steps) length.total_steps = std::min(length.total_steps, *train.steps);
  if (train.early_stop_steps && *train.early_stop_steps > 0)
    length.total_steps = std::min(length.total_steps, *train.early_stop_steps);
  return length;
}

Clock clock_at(const Recipe& recipe, const RunLength& length, std::int64_t step, bool training, bool warm_start) {
  return {.step = step,
          .epoch = step / length.steps_per_epoch,
          .steps_per_epoch = length.steps_per_epoch,
          .total_steps = length.total_steps,
          .batch_size = recipe.train().batch_size,
          .training = training,
          .warm_start = warm_start};
}

std::int64_t eval_batch_of(const Recipe& recipe, int replicas) {
  const std::int64_t together = recipe.eval().batch_size.value_or(recipe.train().batch_size);
  return (together + replicas - 1) / replicas;
}

Network::Network(const Recipe& recipe, std::shared_ptr<const Layer> model, const DataShape& data)
    : model_(std::move(model)),
      data_(data),
      quantizers_(std::make_unique<QuantizerSet>(recipe, layer_paths(recipe, *model_, data))) {}

StepDescription Network::describe(const Recipe& recipe, const Clock& clock, std::int64_t batch, int replicas) const {
  StepDescription description;
  description.model = model_.get();
  description.model_name = recipe.name("model");
  description.images = batch_of(batch, data_.image);
  description.classes = data_.classes;
  description.quantizer_of = [quantizers = quantizers_.get(), clock](std::string_view path) {
    const Quantizer& quantizer = quantizers->quantizer_for(path);
    return SiteQuantizer{&quantizer, quantizer.phase(clock)};
  };
  description.quantization = {.integer = recipe.quantizer().arithmetic == "integer",
                              .require_integer = recipe.quantizer().require_integer,
                              .integer_backward = recipe.quantizer().backward == "int8",
                              .compute = compute_type(recipe.backend()),
                              .quantizer = recipe.name("quantizer")};
  description.replicas = replicas;
  return description;
}

std::vector<std::string> layer_paths(const Recipe& recipe, const Layer& model, const DataShape& data) {
  StepDescription description;
  description.model = &model;
  description.model_name = recipe.name("model");
  description.images = batch_of(1, data.image);
  description.classes = data.classes;
  std::vector<std::string> paths;
  for (const bool training : {false, true}) {  // a model may have layers that only training needs
    for (const Node& node : model_graph(description, training).nodes) {
      const bool is_layer = node.op == Op::conv2d || node.op == Op::dense;
      if (is_layer && std::ranges::find(paths, node.path) == paths.end()) paths.push_back(node.path);
    }
  }
  return paths;
}

}  // namespace qfw
