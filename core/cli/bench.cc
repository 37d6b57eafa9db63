#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "inspect/benchmark.h"
#include "io/json.h"
#include "util/counted.h"
#include "verbs.h"

namespace qfw {

namespace {

void print_table(const Benchmark& result, const std::string& backend) {
  fmt::print("{:.2f} images/s, {:.1f} ms a step of {} (median of {}; {})\n", result.images_per_second(),
             result.median_milliseconds(), counted(result.batch, "image"), result.milliseconds.size(), result.phase);
  if (const auto share = result.peak_share()) {
    fmt::print("{:.1f} % of the machine's peak, which would be {:.2f} images/s\n", 100 * *share,
               *result.peak_images_per_second);
  }
  fmt::print("memory: intermediate values {:.0f} MiB, peak of the process {:.0f} MiB\nbackend {}\n\n",
             static_cast<double>(result.arena_bytes) / (1 << 20), static_cast<double>(result.peak_bytes) / (1 << 20), backend);
  double total = 0;
  for (const auto& kind : result.kinds) total += kind.milliseconds;
  for (const auto& kind : result.kinds) {
    fmt::print("{:<28} {:>9.2f} ms {:>5.1f} % {:>6} calls\n", kind.kind, kind.milliseconds, 100 * kind.milliseconds / total,
               kind.calls);
  }
}

void print_json(const Benchmark& result, const std::string& backend) {
  boost::json::object object;
  object["images_per_second"] = result.images_per_second();
  object["milliseconds"] = result.median_milliseconds();
  object["interrupted"] = result.interrupted;
  const auto share = result.peak_share();
  object["peak_share"] = share ? boost::json::value(*share) : boost::json::value(nullptr);
  object["batch_size"] = result.batch;
  object["steps"] = boost::json::value_from(result.milliseconds);
  object["phase"] = result.phase;
  boost::json::array kinds;
  for (const auto& kind : result.kinds)
    kinds.push_back({{"kind", kind.kind}, {"milliseconds", kind.milliseconds}, {"calls", kind.calls}});
  object["kinds"] = std::move(kinds);
  object["arena_bytes"] = result.arena_bytes;
  object["peak_bytes"] = result.peak_bytes;
  object["backend"] = backend;
  fmt::print("{}", json_pretty(object));
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const Recipe recipe = load_recipe(arguments.positional.at(0), arguments.overrides, catalog, Session::Data::optional);
  Session session(recipe, Session::Data::optional);
  const Benchmark result = benchmark(session, arguments.number("steps", 10, 1), !arguments.has("eval"));
  const std::string backend = session.backend().describe();
  if (arguments.has("json")) {
    print_json(result, backend);
  } else {
    print_table(result, backend);
  }
  return result.interrupted ? 130 : 0;
}

}  // namespace

Verb bench_verb() {
  Verb verb;
  verb.name = "bench";
  verb.positional = "RECIPE";
  verb.min_positional = verb.max_positional = 1;
  verb.summary = "time a recipe's step on random images: images/s, and milliseconds by kind of op";
  verb.doc =
      "Works without the data where the recipe has dataset.shape and dataset.classes. Recipe keys may follow as "
      "--section.key=value.";
  verb.takes_overrides = true;
  verb.options = {{"json", "", "print one JSON object"},
                  {"steps", "N", "timed steps (10)"},
                  {"eval", "", "time evaluation instead of training"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
