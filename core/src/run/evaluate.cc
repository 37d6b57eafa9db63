#include "run/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "data/pipeline.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "run/feeds.h"
#include "run/step_checks.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

/// The share of one replica of this process: its batches, and the logits of the one at hand.
struct Share {
  std::unique_ptr<Pipeline> pipeline;
  std::vector<float> logits;
  Batch batch;
};

/// Logits that are not finite would be scored as if they meant something: stops at the first, saying where they come from.
void check_logits(Session& session, const Session::Compiled& compiled, std::int64_t completed, std::span<const Share> shares,
                  std::span<const Session::Exchange> exchanges) {
  const auto classes = static_cast<std::size_t>(session.data().classes);
  for (std::size_t replica = 0; replica < shares.size(); ++replica) {
    const Share& share = shares[replica];
    const auto used = std::span(share.logits).first(static_cast<std::size_t>(share.batch.count) * classes);
    const auto bad = std::ranges::find_if(used, [](float logit) { return !std::isfinite(logit); });
    if (bad == used.end()) continue;
    const std::int64_t row = (bad - used.begin()) / static_cast<std::int64_t>(classes);
    const std::int64_t rank = session.replicas().rank(static_cast<int>(replica));
    const std::int64_t batch = static_cast<std::int64_t>(share.batch.position.step) * session.replicas().size() + rank;
    const std::string origin = origin_of_not_finite(session, compiled, completed, exchanges);
    fail(Error::Category::data, "evaluate",
         fmt::format("a logit is {} in the evaluation after step {}: the first value that is not finite comes from {}", *bad,
                     completed, origin.empty() ? "the logits themselves" : origin),
         session.dataset(session.validation_split()).place(session.validation_split(), batch * session.eval_batch() + row),
         "evaluations with such values are worth nothing and never the best; a checkpoint from before may still be good");
  }
}

}  // namespace

Scores evaluate(Session& session, std::int64_t completed, LogitsFile* sink) {
  const std::int64_t batch = session.eval_batch(), classes = session.data().classes;
  const int replicas = session.replicas().count();
  std::vector<Share> shares(static_cast<std::size_t>(replicas));
  for (int i = 0; i < replicas; ++i) {
    PipelineSettings settings;
    settings.split = session.validation_split();
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

  Session::Compiled& compiled = session.evaluation(completed);
  check_variables(session, compiled.graph, completed);
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
      exchanges[i].feeds = feeds_of(compiled.graph, {{step_names::images, next->images}});
      exchanges[i].fetches = {{{{batch, classes}, DType::f32}, std::as_writable_bytes(std::span(shares[i].logits))}};
    }
    if (InterruptGuard::requested()) fail(Error::Category::interrupted, "evaluate", "interrupted");
    check_codes(session, compiled, completed, exchanges);
    session.run(compiled, completed, exchanges);
    check_logits(session, compiled, completed, shares, exchanges);
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
