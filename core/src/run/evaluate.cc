#include "run/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "data/pipeline.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "run/feeds.h"
#include "run/layer_statistics.h"
#include "run/step_checks.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

/// The share of one replica of this process: its batches, the logits of the one at hand, and how each example was judged, batch
/// after batch.
struct Share {
  std::unique_ptr<Pipeline> pipeline;
  std::vector<float> logits;
  Batch batch;
  std::vector<std::vector<Scores::Example>> judged;
};

std::vector<std::byte> to_bytes(const std::vector<std::vector<Scores::Example>>& batches) {
  std::vector<std::byte> bytes;
  const auto put = [&](std::span<const std::byte> some) { bytes.insert(bytes.end(), some.begin(), some.end()); };
  for (const auto& batch : batches) {
    const std::uint64_t count = batch.size();
    put(std::as_bytes(std::span(&count, 1)));
    put(std::as_bytes(std::span(batch)));
  }
  return bytes;
}

std::vector<std::vector<Scores::Example>> from_bytes(std::span<const std::byte> bytes) {
  std::vector<std::vector<Scores::Example>> batches;
  const auto take = [&](std::span<std::byte> to) {
    if (to.size() > bytes.size()) fail(Error::Category::internal, "evaluate", "a replica's scores are cut");
    std::ranges::copy(bytes.first(to.size()), to.begin());
    bytes = bytes.subspan(to.size());
  };
  while (!bytes.empty()) {
    std::uint64_t count = 0;
    take(std::as_writable_bytes(std::span(&count, 1)));
    if (count > bytes.size()) fail(Error::Category::internal, "evaluate", "a replica's scores are cut");
    take(std::as_writable_bytes(std::span(batches.emplace_back(static_cast<std::size_t>(count)))));
  }
  return batches;
}

/// Of all replicas of the run, on all processes: added up in the order of the examples, as one replica would have met them.
Scores scores_of_all(Session& session, std::span<const Share> shares, EvaluationDetails* details) {
  std::vector<std::vector<std::byte>> mine;
  for (const Share& share : shares) mine.push_back(to_bytes(share.judged));
  std::vector<std::vector<std::vector<Scores::Example>>> all;
  std::size_t batches = 0;
  for (const auto& bytes : session.replicas().gather(std::move(mine))) {
    batches = std::max(batches, all.emplace_back(from_bytes(bytes)).size());
  }
  Scores scores;
  for (std::size_t batch = 0; batch < batches; ++batch) {
    for (const auto& replica : all) {
      if (batch >= replica.size()) continue;
      for (const Scores::Example& example : replica[batch]) scores.add(example);
      if (details != nullptr) details->examples.insert(details->examples.end(), replica[batch].begin(), replica[batch].end());
    }
  }
  if (scores.examples() == 0) fail(Error::Category::data, "evaluate", "not one example could be read, so there is no score");
  return scores;
}

/// The number in the split of the first image of a replica's batch.
std::int64_t first_of(const Session& session, const Share& share, std::size_t replica) {
  const std::int64_t rank = session.replicas().rank(static_cast<int>(replica));
  const std::int64_t batch = static_cast<std::int64_t>(share.batch.position.step) * session.replicas().size() + rank;
  return batch * session.eval_batch();
}

std::vector<LayersFile::Row> layers_in(Session& session, Session::Evaluation& evaluation, std::int64_t completed,
                                       std::span<const Share> shares) {
  std::vector<std::span<const float>> images;
  std::vector<int> counts;
  for (const Share& share : shares) {
    images.push_back(share.batch.images);
    counts.push_back(share.batch.count);
  }
  return layer_statistics(session, evaluation, completed, images, counts, shares[0].pipeline->examples());
}

/// Logits that are not finite would be scored as if they meant something: stops at the first, saying where they come from.
void check_logits(Session& session, const Graph& graph, std::int64_t completed, std::span<const Share> shares,
                  std::span<const Session::Exchange> exchanges) {
  const auto classes = static_cast<std::size_t>(session.data().classes);
  for (std::size_t replica = 0; replica < shares.size(); ++replica) {
    const Share& share = shares[replica];
    const auto used = std::span(share.logits).first(static_cast<std::size_t>(share.batch.count) * classes);
    const auto bad = std::ranges::find_if(used, [](float logit) { return !std::isfinite(logit); });
    if (bad == used.end()) continue;
    const std::int64_t row = (bad - used.begin()) / static_cast<std::int64_t>(classes);
    const std::string origin = origin_of_not_finite(session, graph, completed, exchanges);
    fail(Error::Category::data, "evaluate",
         fmt::format("a logit is {} in the evaluation after step {}: the first value that is not finite comes from {}", *bad,
                     completed, origin.empty() ? "the logits themselves" : origin),
         session.dataset(session.validation_split()).place(session.validation_split(), first_of(session, share, replica) + row),
         "evaluations with such values are worth nothing and never the best; a checkpoint from before may still be good");
  }
}

}  // namespace

Scores evaluate(Session& session, std::int64_t completed, LogitsFile* sink, EvaluationDetails* details,
                const EvaluationProgress& progress) {
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

  Session::Evaluation& evaluation = session.evaluation(completed);
  const Graph& graph = evaluation.graph;
  check_variables(session, graph, completed);
  std::optional<Session::Compiled> frozen;  // once the codes that it is made of are known to be on their grids
  std::vector<Session::Exchange> exchanges(shares.size());
  Progress line("evaluating");
  std::size_t done = 0;
  for (;;) {
    for (std::size_t i = 0; i < shares.size(); ++i) {
      auto next = shares[i].pipeline->next();
      if (!next) return scores_of_all(session, shares, details);  // all end together
      shares[i].batch = *next;
      exchanges[i].feeds = feeds_of(graph, {{step_names::images, next->images}});
      exchanges[i].upcoming = upcoming_feeds(graph, *shares[i].pipeline);
      exchanges[i].fetches = {{{{batch, classes}, DType::f32}, std::as_writable_bytes(std::span(shares[i].logits))}};
    }
    if (session.replicas().any(InterruptGuard::requested())) fail(Error::Category::interrupted, "evaluate", "interrupted");
    check_codes(session, graph, evaluation.codes_checked, completed, exchanges);
    if (!frozen) {
      frozen = session.frozen(evaluation, completed);
      if (session.replicas().leads()) line.begin({.step = 0, .total_steps = shares[0].pipeline->examples()});
    }
    session.run(*frozen, completed, exchanges);
    check_logits(session, graph, completed, shares, exchanges);
    if (details != nullptr && done == 0) details->layers = layers_in(session, evaluation, completed, shares);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      Share& share = shares[i];
      const auto count = static_cast<std::size_t>(share.batch.count);
      const std::span<const float> rows = std::span(share.logits).first(count * static_cast<std::size_t>(classes));
      const std::int64_t first = first_of(session, share, i);
      share.judged.push_back(Scores::judge(rows, share.batch.labels.first(count), classes, first));
      if (sink != nullptr) sink->append(rows, share.batch.labels.first(count));
    }
    done += shares.size() * static_cast<std::size_t>(batch);
    if (!session.replicas().leads()) continue;
    const std::int64_t of = shares[0].pipeline->examples(), so_far = std::min(static_cast<std::int64_t>(done), of);
    line.update({.step = so_far, .total_steps = of, .corrupt = session.corrupt().count()});
    if (progress) progress(so_far, of);
  }
}

}  // namespace qfw
