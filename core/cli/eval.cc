#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "io/checkpoint.h"
#include "io/json.h"
#include "io/log.h"
#include "layout.h"
#include "run/evaluate.h"
#include "run/fewer_images.h"
#include "run/idle_overrides.h"
#include "run/same_run.h"
#include "run_source.h"
#include "util/counted.h"
#include "util/interrupt.h"
#include "verbs.h"

namespace qfw {

namespace {

int run(const Arguments& arguments, const Catalog& catalog) {
  const RunSource source = find_run(arguments.positional.at(0));
  if (arguments.has("logits")) check_output(arguments.get("logits"), OutputKind::logits);
  const Recipe recipe = load_recipe(source.recipe, arguments.overrides, catalog, Session::Data::required);
  const Checkpoint& checkpoint = *source.checkpoint;
  Session session(recipe, Session::Data::required);
  say_how_runs_differ(checkpoint.info().recipe, recipe, source.path);
  const std::int64_t completed = checkpoint.info().step;
  session.continue_from(checkpoint.info());
  say_idle_overrides(session, completed, source.recipe, arguments.overrides, catalog);
  session.restore(checkpoint, session.evaluation(completed).graph.variables);
  if (const std::string fewer = fewer_evaluated(session); !fewer.empty() && session.replicas().leads())
    logger().warn("{}", fewer);
  logger().info("evaluating {} on {}", source.path.string(), session.backend().describe());

  const Replicas& replicas = session.replicas();
  if (arguments.has("logits") && !replicas.alone()) {
    fail(Error::Category::usage, "eval",
         fmt::format("this process has {} of the run's {} replicas, and so not all logits", replicas.count(), replicas.size()),
         {}, "leave out --logits, or evaluate in one process (--communicator.name=single)");
  }
  std::unique_ptr<LogitsFile> logits;
  if (arguments.has("logits")) logits = std::make_unique<LogitsFile>(arguments.get("logits"), session.data().classes);
  const InterruptGuard guard("stopping after this batch, without a result");
  const Scores scores = evaluate(session, completed, logits.get());
  if (logits) {
    logits->commit();
    logger().info("logits and labels are in {}", arguments.get("logits"));
  }
  if (!replicas.leads()) return 0;

  if (arguments.has("json")) {
    const boost::json::object result{{"top1", scores.top1()},
                                     {"top5", scores.top5()},
                                     {"loss", scores.loss()},
                                     {"examples", scores.examples()},
                                     {"corrupt", session.corrupt().count()}};
    fmt::print("{}\n", json_line(result));
  } else {
    const std::int64_t corrupt = session.corrupt().count();
    const std::string result = fmt::format("top-1 {:.2f} %, top-5 {:.2f} %, loss {:.5f} on {} (step {}){}", 100 * scores.top1(),
                                           100 * scores.top5(), scores.loss(), counted(scores.examples(), "image"), completed,
                                           corrupt > 0 ? fmt::format(", {} left out", counted(corrupt, "corrupt one")) : "");
    print_text(wrapped(result, output_width(unlimited), 0, 4));
  }
  return 0;
}

}  // namespace

Verb eval_verb() {
  Verb verb;
  verb.name = "eval";
  verb.positional = "RUN|CHECKPOINT";
  verb.min_positional = verb.max_positional = 1;
  verb.summary = "evaluate a run's newest checkpoint over every validation image";
  verb.doc =
      "RUN is a run folder, or a checkpoint file in one. Recipe keys may follow, for example --eval.examples=1000 or "
      "--backend.name=reference.";
  verb.takes_overrides = true;
  verb.options = {{"json", "", "print one JSON object"},
                  {"logits", "FILE.h5", "keep every logit and label (data sets `logits` and `labels`)"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
