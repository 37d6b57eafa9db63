#include "run/verify_export.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

#include "data/pipeline.h"
#include "io/progress.h"
#include "passes/step.h"
#include "qfw/error.h"
#include "qfw/interrupt.h"
#include "run/feeds.h"
#include "run/step_checks.h"
#include "util/counted.h"

namespace qfw {

namespace {

/// The validation images, batch by batch, whatever the replicas of the run.
Pipeline pipeline_of(Session& session, std::int64_t images) {
  PipelineSettings settings;
  settings.split = session.validation_split();
  settings.batch = session.eval_batch();
  settings.training = false;
  settings.workers = session.workers();
  settings.prefetch = static_cast<int>(session.recipe().dataset().prefetch);
  settings.corrupt = &session.corrupt();
  settings.examples = images > 0 ? images : session.recipe().eval().examples.value_or(0);
  return {session.dataset(settings.split), session.augment(), settings};
}

/// In the thread of the first replica, whose backend it may be.
void run_first(Session& session, Executable& executable, std::int64_t step, std::span<const HostView> feeds,
               std::span<const HostTensor> fetches) {
  session.replicas().each([&](int i) {
    if (i == 0) executable.run({.index = step, .seed = session.seed()}, feeds, fetches);
  });
}

/// What a graph fetches, in memory of its own.
struct Fetched {
  explicit Fetched(const Graph& graph) {
    for (const Fetch& fetch : graph.fetches) {
      const TensorType& type = graph.type(fetch.use);
      tensors.push_back({type, bytes.emplace_back(type.bytes())});
    }
  }
  std::vector<std::vector<std::byte>> bytes;
  std::vector<HostTensor> tensors;
};

/// "levels basic and all, threads 1 and 2"
std::string text_of(const std::vector<ExportReference::Way>& ways) {
  std::vector<std::pair<std::string, std::vector<std::string>>> options;
  for (const auto& way : ways) {
    for (const auto& [name, value] : way) {
      auto option = std::ranges::find_if(options, [&](const auto& each) { return each.first == name; });
      if (option == options.end()) option = options.insert(options.end(), {name, {}});
      if (std::ranges::find(option->second, value) == option->second.end()) option->second.push_back(value);
    }
  }
  std::vector<std::string> texts;
  for (const auto& [name, values] : options) {
    const bool several = values.size() > 1 && !name.ends_with('s');
    texts.push_back(fmt::format("{}{} {}", name, several ? "s" : "", fmt::join(values, values.size() == 2 ? " and " : ", ")));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string text_of(const ExportReference::Way& way) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : way) texts.push_back(name + " " + value);
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// A batch of `rows` images. Where it is not full, its last image again: zeros in its place need not be what pixels become.
std::vector<float> whole_batch(const Batch& batch, std::int64_t rows) {
  std::vector<float> images(batch.images.begin(), batch.images.end());
  const std::int64_t size = static_cast<std::int64_t>(images.size()) / rows;
  for (std::int64_t row = batch.count; row < rows && batch.count > 0; ++row) {
    std::copy_n(images.begin() + (batch.count - 1) * size, size, images.begin() + row * size);
  }
  return images;
}

std::int64_t greatest(std::span<const float> logits) { return std::ranges::max_element(logits) - logits.begin(); }

double distance(float a, float b) {
  if (std::memcmp(&a, &b, sizeof a) == 0) return 0;
  const double d = std::abs(static_cast<double>(a) - static_cast<double>(b));
  return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
}

/// How many elements of the first `rows` differ.
std::int64_t differing(const HostTensor& a, const HostTensor& b, std::int64_t rows) {
  const std::size_t size = size_of(a.type.dtype);
  const std::int64_t elements = rows * (a.type.shape.count() / a.type.shape[0]);
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < elements; ++i) {
    const auto at = static_cast<std::size_t>(i) * size;
    if (std::memcmp(a.bytes.data() + at, b.bytes.data() + at, size) != 0) ++count;
  }
  return count;
}

/// A value of a layer in a graph's fetches.
struct Watched {
  const QuantizedSite* site;
  bool sums;
};

/// The graph with values of its layers as further fetches, in the order of the computation.
Graph watching(const Graph& graph, std::vector<Watched>& watched) {
  Graph more = graph;
  std::vector<const QuantizedSite*> sites;
  for (const QuantizedSite& site : graph.sites) {
    if (site.product.node >= 0) sites.push_back(&site);
  }
  std::ranges::sort(sites, {}, [](const QuantizedSite* site) { return site->product.node; });
  for (const QuantizedSite* site : sites) {
    if (site->integer && site->sums.node >= 0) {
      more.fetches.push_back({site->path + "/sums", site->sums});
      watched.push_back({site, true});
    }
    more.fetches.push_back({site->path + "/product", site->product});
    watched.push_back({site, false});
  }
  return more;
}

}  // namespace

std::string ExportReference::Outcome::guarantee(const Exporter::Promise& promise) const {
  const std::string where = fmt::format("{}{}{}", runtime, ways.empty() ? "" : ", ", ways);
  if (equal && promise.equal) return fmt::format("equal: {}, {}", where, counted(images, "image"));
  return fmt::format("close: max |d| {:.3g}, top-1 agreement {:.2f} % ({} of {}), {}", largest,
                     100 * static_cast<double>(agreeing) / static_cast<double>(std::max<std::int64_t>(1, images)), agreeing,
                     counted(images, "image"), where);
}

ExportReference::ExportReference(Session& session, const FrozenModel& model, std::int64_t step, std::int64_t images)
    : session_(session), model_(model), step_(step) {
  Pipeline pipeline = pipeline_of(session, images);
  Session::Evaluation& evaluation = session.evaluation(step);
  check_variables(session, evaluation.graph, step);
  std::optional<Session::Compiled> compiled;
  std::vector<float> logits(static_cast<std::size_t>(session.eval_batch() * session.data().classes));
  const auto classes = static_cast<std::size_t>(session.data().classes);
  std::optional<Progress> line;
  if (pipeline.examples() > session.eval_batch()) line.emplace("evaluating");
  if (line) line->begin({.step = 0, .total_steps = pipeline.examples()});
  while (const auto batch = pipeline.next()) {
    stop_if_interrupted("export");
    const std::vector<HostView> feeds = feeds_of(evaluation.graph, {{step_names::images, batch->images}});
    if (!compiled) {
      const Session::Exchange exchange{.feeds = feeds, .fetches = {}};
      const std::vector<Session::Exchange> exchanges(static_cast<std::size_t>(session.replicas().count()), exchange);
      check_codes(session, evaluation.graph, evaluation.codes_checked, step, exchanges);
      compiled = session.frozen(evaluation, step);
    }
    const HostTensor fetch{compiled->graph.type(compiled->graph.fetches.at(0).use), std::as_writable_bytes(std::span(logits))};
    run_first(session, *compiled->executables.front(), step, feeds, {&fetch, 1});
    const auto end = logits.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(batch->count) * classes);
    logits_.insert(logits_.end(), logits.begin(), end);
    images_ += batch->count;
    if (line) line->update({.step = images_, .total_steps = pipeline.examples(), .corrupt = session.corrupt().count()});
  }
}

std::string ExportReference::first_layer(Backend& runtime, std::span<const float> images, std::int64_t count) try {
  std::vector<Watched> watched;
  const Graph graph = watching(model_.graph, watched);
  const std::vector<HostView> feeds = feeds_of(graph, {{step_names::images, images}});
  Fetched ours(graph), theirs(graph);
  {
    const Session::Compiled compiled = session_.compile(graph);
    run_first(session_, *compiled.executables.front(), step_, feeds, ours.tensors);
  }
  runtime.compile(graph, session_.replicas().communicator())->run({.index = step_}, feeds, theirs.tensors);
  const QuantizedSite* before = nullptr;
  for (std::size_t i = 0; i < watched.size(); ++i) {
    const auto& [site, sums] = watched[i];
    const HostTensor &a = ours.tensors[i + 1], &b = theirs.tensors[i + 1];
    if (const std::int64_t different = differing(a, b, count); different > 0) {
      const std::string between =
          before == nullptr || before == site ? "the images and it" : fmt::format("{} and it", before->path);
      const std::string why = sums            ? fmt::format("its weights' codes differ, or what lies between {}", between)
                              : site->integer ? std::string("its integer sums are equal: its scales differ")
                                              : fmt::format("its weights differ, or what lies between {}", between);
      return fmt::format("the first layer that differs is {}: {} of its {} {} on {} do ({})", site->path, different,
                         count * (a.type.shape.count() / a.type.shape[0]), sums ? "sums" : "results", counted(count, "image"),
                         why);
    }
    before = site;
  }
  if (watched.empty()) return "the network has no layer that could be compared";
  return fmt::format(
      "every layer is equal when its values are asked for: what follows the last one, {}, differs, or what the runtime makes "
      "of "
      "the network when they are not",
      before->path);
} catch (const Error& error) {
  if (error.category() == Error::Category::interrupted) throw;
  return fmt::format("its layers cannot be compared: {}", error.what());
}

bool ExportReference::compare(Backend& runtime, const Way& way, bool to_the_first, Outcome& outcome,
                              const std::function<void(std::int64_t images)>& progress) {
  const std::int64_t classes = model_.classes();
  const auto executable = runtime.compile(model_.graph, session_.replicas().communicator());
  Fetched fetched(model_.graph);
  const std::span<const float> theirs = fetched.tensors.front().as<float>();
  Pipeline pipeline = pipeline_of(session_, images_);
  std::int64_t done = 0, agreeing = 0;
  while (const auto batch = pipeline.next()) {
    stop_if_interrupted("export");
    const std::vector<float> images = whole_batch(*batch, model_.batch());
    executable->run({.index = step_}, feeds_of(model_.graph, {{step_names::images, images}}), fetched.tensors);
    std::int64_t different = 0, first = -1;
    double largest = 0;
    for (std::int64_t row = 0; row < batch->count; ++row) {
      const auto size = static_cast<std::size_t>(classes);
      const auto ours = std::span<const float>(logits_).subspan(static_cast<std::size_t>((done + row) * classes), size);
      const auto other = theirs.subspan(static_cast<std::size_t>(row * classes), size);
      if (greatest(ours) == greatest(other)) ++agreeing;
      if (std::ranges::equal(std::as_bytes(ours), std::as_bytes(other))) continue;
      if (different++ == 0) first = row;
      for (std::size_t i = 0; i < size; ++i) largest = std::max(largest, distance(ours[i], other[i]));
    }
    outcome.largest = std::max(outcome.largest, largest);
    if (different > 0 && outcome.equal) {
      outcome.equal = false;
      outcome.difference =
          fmt::format("{}{}of images {} to {}, {} have other logits, first image {}, by at most {:.3g}", text_of(way),
                      way.empty() ? "" : ": ", done, done + batch->count - 1, different, done + first, largest);
      if (to_the_first) outcome.difference += "; " + first_layer(runtime, images, batch->count);
    }
    if (!outcome.equal && to_the_first) return false;
    done += batch->count;
    progress(done);
  }
  outcome.agreeing = std::min(outcome.agreeing, agreeing);
  return true;
}

ExportReference::Outcome ExportReference::compare(const std::vector<Way>& ways, const MakeRuntime& make, bool to_the_first) {
  Outcome outcome{.runtime = {}, .ways = text_of(ways), .images = images_, .agreeing = images_, .difference = {}};
  const std::vector<Way> all = ways.empty() ? std::vector<Way>(1) : ways;
  std::optional<Progress> line;
  const auto total = static_cast<std::int64_t>(all.size()) * images_;
  if (total > session_.eval_batch()) line.emplace("verifying");
  if (line) line->begin({.step = 0, .total_steps = total});
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Way& way = all[i];
    const std::unique_ptr<Backend> runtime = make(way);
    const auto progress = [&](std::int64_t done) {
      if (line) line->update({.step = static_cast<std::int64_t>(i) * images_ + done, .total_steps = total});
    };
    const std::string about = runtime->describe();
    outcome.runtime = about.substr(0, about.find(','));
    if (!compare(*runtime, way, to_the_first, outcome, progress)) break;
  }
  return outcome;
}

std::vector<float> validation_images(Session& session, std::int64_t images) {
  Pipeline pipeline = pipeline_of(session, images);
  std::vector<float> all;
  while (const auto batch = pipeline.next()) {
    const std::int64_t size = session.data().image.count();
    const auto rows = batch->images.first(static_cast<std::size_t>(batch->count * size));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace qfw
