#include "train/evaluate.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "data/pipeline.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

/// The share of one replica of this process: its batches, and the logits of the one at hand.
struct Share {
  std::unique_ptr<Pipeline> pipeline;
  std::vector<float> logits;
  Batch batch;
};

}  // namespace

Scores evaluate(Session& session, std::int64_t completed, LogitsFile* sink) {
  const std::int64_t batch = session.eval_batch(), classes = session.data().classes;
  const int replicas = session.replicas().count();
  std::vector<Share> shares(static_cast<std::size_t>(replicas));
  for (int i = 0; i < replicas; ++i) {
    PipelineSettings settings;
    settings.split = "validation";
    settings.batch = batch;
    settings.training = false;
    settings.workers = std::max(1, session.workers() / replicas);
    settings.prefetch = static_cast<int>(session.recipe().dataset().prefetch);
    settings.rank = session.replicas().rank(i);
    settings.replicas = session.replicas().size();
    settings.corrupt = &session.corrupt();
    settings.examples = session.recipe().eval().examples.value_or(0);
    Share& share = shares[static_cast<std::size_t>(i)];
    share.pipeline = std::make_unique<Pipeline>(session.dataset(settings.split), session.augment(), settings);
    share.logits.resize(static_cast<std::size_t>(batch * classes));
  }

  const Session::Compiled& compiled = session.evaluation(completed);
  std::vector<Session::Exchange> exchanges(shares.size());
  Progress progress("evaluating");
  Scores scores;
  std::size_t done = 0;
  for (;;) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      auto next = shares[i].pipeline->next();
      if (!next) {  // all end together
        if (scores.examples() == 0)
          fail(Error::Category::data, "evaluate", "not one example could be read, so there is no score");
        return scores;
      }
      shares[i].batch = *next;
      exchanges[i].feeds = {HostView(compiled.graph.inputs.at(0).type, std::as_bytes(next->images))};
      exchanges[i].fetches = {{{{batch, classes}, DType::f32}, std::as_writable_bytes(std::span(shares[i].logits))}};
    }
    if (InterruptGuard::requested()) fail(Error::Category::interrupted, "evaluate", "interrupted");
    session.run(compiled, completed, exchanges);
    for (const Share& share : shares) {
      const auto count = static_cast<std::size_t>(share.batch.count);
      const std::span<const float> rows = std::span(share.logits).first(count * static_cast<std::size_t>(classes));
      scores.add(rows, share.batch.labels.first(count), classes);
      if (sink != nullptr) sink->append(rows, share.batch.labels.first(count));
    }
    done += shares.size() * static_cast<std::size_t>(batch);
    progress.update({.step = std::min<std::int64_t>(static_cast<std::int64_t>(done), shares[0].pipeline->examples()),
                     .total_steps = shares[0].pipeline->examples(),
                     .corrupt = session.corrupt().count()});
  }
}

}  // namespace qfw
