#include "run/training_feed.h"

#include <fmt/format.h>

#include <algorithm>

#include "qfw/error.h"
#include "run/feeds.h"
#include "util/counted.h"

namespace qfw {

TrainingFeed::TrainingFeed(Session& session, int replica, std::int64_t completed) : session_(session) {
  const auto per_epoch = static_cast<std::uint64_t>(session.steps_per_epoch()), done = static_cast<std::uint64_t>(completed);
  PipelineSettings settings;
  settings.split = session.train_split();
  settings.batch = session.train_batch();
  settings.seed = session.seed();
  settings.workers = std::max(1, session.workers() / session.replicas().count());
  settings.prefetch = static_cast<int>(session.recipe().dataset().prefetch);
  settings.rank = session.replicas().rank(replica);
  settings.replicas = session.replicas().size();
  settings.corrupt = &session.corrupt();
  settings.start = {.epoch = done / per_epoch, .step = done % per_epoch};
  pipeline_ = std::make_unique<Pipeline>(session.dataset(settings.split), session.augment(), settings);
  const auto size = static_cast<std::size_t>(session.train_batch() * session.data().classes);
  targets_.assign(size, 0);
  logits_.assign(size, 0);
}

void TrainingFeed::next() {
  const auto batch = pipeline_->next();
  if (!batch) fail(Error::Category::internal, "trainer", "the training data ended");
  batch_ = *batch;
  const auto classes = static_cast<std::size_t>(session_.data().classes);
  std::ranges::fill(targets_, 0.f);
  for (std::size_t i = 0; i < batch_.labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(batch_.labels[i]);
    if (label >= classes)
      fail(Error::Category::data, "trainer",
           fmt::format("label {} of {}", batch_.labels[i], counted(classes, "class", "classes")));
    targets_[i * classes + label] = 1;
  }
}

std::vector<HostView> TrainingFeed::feeds(const Graph& graph, const float& rate) const {
  return feeds_of(graph,
                  {{step_names::images, batch_.images}, {step_names::targets, targets_}, {step_names::rate, {&rate, 1}}});
}

std::vector<HostView> TrainingFeed::upcoming(const Graph& graph) const { return upcoming_feeds(graph, *pipeline_); }

std::vector<HostTensor> TrainingFeed::fetches(const Graph& graph) {
  const auto bytes = [](float& number) { return std::as_writable_bytes(std::span(&number, 1)); };
  std::vector<HostTensor> fetches;
  for (const Fetch& fetch : graph.fetches) {
    const bool whole = fetch.name == step_names::logits;
    fetches.push_back({graph.type(fetch.use), whole                               ? std::as_writable_bytes(std::span(logits_))
                                              : fetch.name == step_names::loss    ? bytes(loss_)
                                              : fetch.name == step_names::skipped ? bytes(skipped_)
                                                                                  : bytes(loss_scale_)});
  }
  return fetches;
}

void TrainingFeed::add_to(Scores& scores) const { scores.add(logits_, batch_.labels, session_.data().classes); }

}  // namespace qfw
