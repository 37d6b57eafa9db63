#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <optional>

#include "inspect/benchmark.h"
#include "inspect/profile_json.h"
#include "io/json.h"
#include "io/log.h"
#include "layout.h"
#include "profile_table.h"
#include "qfw/error.h"
#include "run/notes.h"
#include "run_source.h"
#include "util/counted.h"
#include "verbs.h"

namespace qfw {

namespace {

void print_table(const Benchmark& result, const std::string& backend) {
  const std::size_t width = output_width(unlimited);
  std::string text =
      fmt::format("{:.2f} images/s, {:.1f} ms a step of {} (median of {}; {})\n", result.images_per_second(),
                  result.median_milliseconds(), counted(result.batch, "image"), result.milliseconds.size(), result.phase);
  if (const auto share = result.peak_share()) {
    text += fmt::format("{:.1f} % of the machine's peak, which would be {:.2f} images/s\n", 100 * *share,
                        *result.peak_images_per_second);
  }
  text += fmt::format("memory: intermediate values {:.0f} MiB, peak of the process {:.0f} MiB, {:.0f} MiB on huge pages\n",
                      static_cast<double>(result.arena_bytes) / (1 << 20), static_cast<double>(result.peak_bytes) / (1 << 20),
                      static_cast<double>(result.huge_page_bytes) / (1 << 20));
  print_text(wrapped(text + "backend " + backend + "\n", width, 0, 4) + "\n");
  const double total = result.profile.milliseconds();
  std::vector<Column> kinds = {{}, {.numbers = true}, {.numbers = true}, {.numbers = true}};
  for (const auto& kind : result.profile.by_kind()) {
    kinds[0].cells.push_back(kind.kind);
    kinds[1].cells.push_back(fmt::format("{:.2f} ms", kind.milliseconds));
    kinds[2].cells.push_back(fmt::format("{:.1f} %", 100 * kind.milliseconds / total));
    kinds[3].cells.push_back(counted(kind.calls, "call"));
  }
  print_text(table(kinds, width));
}

enum class ProfileForm { none, compact, whole };

ProfileForm profile_form(const Arguments& arguments) {
  if (!arguments.has("profile")) return ProfileForm::none;
  const std::string form = arguments.get("profile");
  if (form.empty()) return ProfileForm::compact;
  if (form == "all") return ProfileForm::whole;
  fail(Error::Category::usage, "bench", fmt::format("--profile is '{}'", form), {},
       "give --profile, or --profile=all for every layer and part by itself");
}

void print_json(const Benchmark& result, const std::string& backend, bool profile) {
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
  for (const auto& kind : result.profile.by_kind())
    kinds.push_back({{"kind", kind.kind}, {"milliseconds", kind.milliseconds}, {"calls", kind.calls}});
  object["kinds"] = std::move(kinds);
  object["arena_bytes"] = result.arena_bytes;
  object["peak_bytes"] = result.peak_bytes;
  object["huge_page_bytes"] = result.huge_page_bytes;
  object["backend"] = backend;
  if (profile) object["profile"] = profile_json(result.profile, result.ceilings);
  fmt::print("{}", json_pretty(object));
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const ProfileForm form = profile_form(arguments);
  if (arguments.has("trace")) check_output(arguments.get("trace"), OutputKind::json);
  const Recipe recipe = load_recipe(arguments.positional.at(0), arguments.overrides, catalog, Session::Data::optional);
  Session session(recipe, Session::Data::optional);
  for (const std::string& note : notes_on(session)) logger().warn("{}", note);
  std::optional<TraceFile> trace;
  if (arguments.has("trace")) trace.emplace(arguments.get("trace"), "qfw bench " + arguments.positional.at(0));
  const Benchmark result = benchmark(session, {.steps = arguments.number("steps", 10, 1),
                                               .training = !arguments.has("eval"),
                                               .bandwidth = form != ProfileForm::none,
                                               .trace = trace ? &*trace : nullptr});
  if (trace) logger().info("the trace is in {}", arguments.get("trace"));
  const std::string backend = session.backend().describe();
  if (arguments.has("json")) {
    print_json(result, backend, form != ProfileForm::none);
  } else {
    print_table(result, backend);
    if (form == ProfileForm::compact) fmt::print("\n{}", profile_table(result.profile, result.ceilings));
    if (form == ProfileForm::whole) {
      fmt::print("\n{}", whole_profile_table(result.profile, result.ceilings, output_width(unlimited)));
    }
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
  verb.options = {
      {"json", "", "print one JSON object"},
      {"steps", "N", "timed steps (10)"},
      {"eval", "", "time evaluation instead of training"},
      {"profile", "all", "also print where the time goes, layer by layer beside the machine's ceilings; all: every part", true},
      {"trace", "FILE.json", "write the timed steps as a trace for Perfetto (ui.perfetto.dev) and chrome://tracing"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
