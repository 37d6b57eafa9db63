#pragma once

#include <memory>
#include <vector>

#include "data/pipeline.h"
#include "run/scores.h"
#include "run/session.h"

namespace qfw {

/// One replica's side of the training steps: its batches, and what the steps return to it.
class TrainingFeed {
 public:
  /// `session` outlives it. Batches begin after `completed` steps.
  TrainingFeed(Session& session, int replica, std::int64_t completed);
  TrainingFeed(const TrainingFeed&) = delete;
  TrainingFeed& operator=(const TrainingFeed&) = delete;

  void next();  ///< waits for the next batch
  /// The batch at hand as the feeds of a graph of passes/step.h. The rate, where it is asked for, is read when the step runs.
  std::vector<HostView> feeds(const Graph& graph, const float& rate) const;
  std::vector<HostView> upcoming(const Graph& graph) const;  ///< what is known of the next batch's feeds
  std::vector<HostTensor> fetches(const Graph& graph);       ///< of a training graph
  float loss() const { return loss_; }
  float loss_scale() const { return loss_scale_; }  ///< 1 unless one adapts
  bool skipped() const { return skipped_ != 0; }    ///< the step changed nothing: gradients were not all finite
  void add_to(Scores& scores) const;

 private:
  const Session& session_;
  std::unique_ptr<Pipeline> pipeline_;
  Batch batch_;
  std::vector<float> targets_, logits_;
  float loss_ = 0, loss_scale_ = 1, skipped_ = 0;
};

}  // namespace qfw
