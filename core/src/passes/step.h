#pragma once

#include "passes/loss_scale.h"
#include "passes/quantize.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"

namespace qfw {

/// What the graphs of a run are made from. Pointers outlive the calls.
struct StepDescription {
  const Layer* model = nullptr;
  std::string model_name;  ///< for messages
  Shape images;            ///< [N, H, W, C]
  std::int64_t classes = 0;
  std::function<SiteQuantizer(std::string_view path)> quantizer_of;
  Quantization quantization;
  int replicas = 1;
};

/// Names of inputs and fetches of the graphs below.
namespace step_names {
inline constexpr const char* images = "images";    ///< f32 [N, H, W, C]
inline constexpr const char* targets = "targets";  ///< f32 [N, classes]: probabilities
inline constexpr const char* rate = "rate";        ///< f32 scalar
inline constexpr const char* loss = "loss";        ///< f32 scalar: mean cross entropy, without weight decay
inline constexpr const char* logits = "logits";    ///< f32 [N, classes]
// Of a loss scale that adapts, f32 scalars:
inline constexpr const char* loss_scale = "loss_scale";  ///< what the step's loss was multiplied by
inline constexpr const char* skipped = "skipped";        ///< 1: its gradients were not all finite, and it changed nothing
}  // namespace step_names

/// The model as the plugin describes it, before any pass. Fetches `logits`.
Graph model_graph(const StepDescription& description, bool training);

/// Forward, loss + 0.5 * weight_decay * sum(w^2), gradients averaged over replicas, optimizer. Inputs images, targets, rate;
/// fetches loss, logits, and what a loss scale that adapts has to tell. A step whose loss is not finite changes no variable.
Graph training_graph(const StepDescription& description, const Optimizer& optimizer, double weight_decay,
                     LossScaling scaling = {});

/// Input images, fetch logits; changes nothing.
Graph evaluation_graph(const StepDescription& description);

/// The forward pass of a training step (inputs images, targets) or of an evaluation (images) that changes nothing and fetches,
/// for each value in order, how many of its elements are not finite, under the name of its layer and op.
Graph diagnosis_graph(const StepDescription& description, bool training);

}  // namespace qfw
