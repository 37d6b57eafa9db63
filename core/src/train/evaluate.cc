#include "train/evaluate.h"

#include "data/pipeline.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "train/interrupt.h"

namespace qfw {

Scores evaluate(Session& session, std::int64_t completed, LogitsFile* sink) {
  const std::int64_t batch = session.eval_batch(), classes = session.data().classes;
  PipelineSettings settings;
  settings.split = "validation";
  settings.batch = batch;
  settings.training = false;
  settings.workers = session.workers();
  settings.prefetch = static_cast<int>(session.recipe().dataset().prefetch);
  settings.examples = session.recipe().eval().examples.value_or(0);
  Pipeline pipeline(session.dataset(), session.augment(), settings);

  auto& [graph, executable] = session.evaluation(completed);
  std::vector<float> logits(static_cast<std::size_t>(batch * classes));
  const HostTensor fetched{{{batch, classes}, DType::f32}, std::as_writable_bytes(std::span(logits))};
  Progress progress("evaluating");
  Scores scores;
  while (const auto next = pipeline.next()) {
    if (InterruptGuard::requested()) fail(Error::Category::interrupted, "evaluate", "interrupted");
    const HostView images(graph.inputs.at(0).type, std::as_bytes(next->images));
    executable->run({.index = completed, .seed = session.seed()}, std::span(&images, 1), std::span(&fetched, 1));
    const auto count = static_cast<std::size_t>(next->count);
    const std::span<const float> rows = std::span(logits).first(count * static_cast<std::size_t>(classes));
    scores.add(rows, next->labels.first(count), classes);
    if (sink != nullptr) sink->append(rows, next->labels.first(count));
    progress.update({.step = scores.examples(), .total_steps = pipeline.examples()});
  }
  return scores;
}

}  // namespace qfw
