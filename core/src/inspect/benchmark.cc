#include "inspect/benchmark.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <string_view>

#include "inspect/work.h"
#include "io/log.h"
#include "qfw/error.h"
#include "qfw/random.h"
#include "run/phases.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

/// A field of a file of /proc that tells kilobytes; 0 where it is not there.
std::int64_t bytes_of(const char* path, std::string_view field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field)) return 1024 * std::stoll(line.substr(field.size()));
  }
  return 0;
}

/// Feeds and fetches of a graph: normal images, one-hot targets, a small rate.
class RandomStep {
 public:
  RandomStep(const Graph& graph, std::uint64_t seed, int replicas) {
    RandomStream random(seed, hash_of("benchmark"));
    std::vector<HostView> feeds;
    for (const Input& input : graph.inputs) {
      auto& values = buffers_.emplace_back(static_cast<std::size_t>(input.type.shape.count()));
      if (input.name == step_names::targets) {
        const auto classes = static_cast<std::size_t>(input.type.shape.channels());
        for (std::size_t row = 0; row < values.size(); row += classes) values[row + random.below(classes)] = 1;
      } else if (input.name == step_names::rate) {
        values[0] = 1e-4f;
      } else {  // images: the session lets no other input pass
        for (float& value : values) value = static_cast<float>(random.normal());
      }
      feeds.emplace_back(input.type, std::as_bytes(std::span(values)));
    }
    exchanges_.assign(static_cast<std::size_t>(replicas), {.feeds = feeds, .fetches = {}, .upcoming = feeds});
    for (auto& exchange : exchanges_) {
      for (const Fetch& fetch : graph.fetches) {
        const TensorType& type = graph.type(fetch.use);
        auto& values = buffers_.emplace_back(static_cast<std::size_t>(type.shape.count()));
        exchange.fetches.push_back({type, std::as_writable_bytes(std::span(values))});
      }
    }
  }

  /// Every replica is fed the same.
  TraceFile::Step run(Session& session, const Session::Compiled& compiled, std::int64_t step) {
    const auto begin = std::chrono::steady_clock::now();
    session.run(compiled, step, exchanges_);
    return {begin, std::chrono::steady_clock::now()};
  }

 private:
  std::vector<std::vector<float>> buffers_;
  std::vector<Session::Exchange> exchanges_;
};

/// The first step of every distinct phase, in order, and the last one, which is what gets timed.
std::vector<std::int64_t> steps_to_run(const Session& session) {
  std::vector<std::int64_t> steps = first_steps_of_phases(session);
  const std::int64_t last = session.total_steps() - 1;
  if (steps.back() != last) steps.push_back(last);
  return steps;
}

}  // namespace

double Benchmark::median_milliseconds() const {
  auto sorted = milliseconds;
  std::ranges::sort(sorted);
  const std::size_t n = sorted.size();
  return n == 0 ? 0 : n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

Benchmark benchmark(Session& session, const BenchmarkOptions& options) {
  const bool training = options.training;
  const InterruptGuard guard("stopping after this step");
  if (!training) session.limit_train_batch(2);  // its steps set nothing but statistics and bounds
  session.initialize_variables();
  const std::int64_t last = session.total_steps() - 1;
  std::unique_ptr<RandomStep> feed;
  // Bounds and statistics come from the earlier phases, as in training.
  for (const std::int64_t step : steps_to_run(session)) {
    auto& compiled = session.training(step);
    if (!feed) feed = std::make_unique<RandomStep>(compiled.graph, session.seed(), session.replicas().count());
    feed->run(session, compiled, step);
    if (InterruptGuard::requested()) fail(Error::Category::interrupted, "bench", "interrupted before anything was timed");
  }
  std::optional<Session::Compiled> frozen;
  if (!training) frozen = session.frozen(session.evaluation(last + 1), last + 1);
  const auto& compiled = training ? session.training(last) : *frozen;
  if (!training) feed = std::make_unique<RandomStep>(compiled.graph, session.seed(), session.replicas().count());

  Benchmark result;
  result.phase = session.phase_text(session.clock(training ? last : last + 1, training));
  const std::int64_t batch = training ? session.train_batch() : session.eval_batch();  // of each replica
  result.batch = batch * session.replicas().size();
  const Backend::Peak peak = session.peak();
  result.peak_images_per_second = peak_images_per_second(work_of(compiled.graph, batch), peak);
  const double shares = session.replicas().size();
  result.ceilings.peak = {.f32 = peak.f32 / shares, .bf16 = peak.bf16 / shares, .integer = peak.integer / shares};
  feed->run(session, compiled, last);  // warms caches
  // Of all replicas for a trace; else the first tells where the time goes.
  std::vector<std::unique_ptr<Profiler>> profilers;
  for (const auto& executable : compiled.executables) {
    if (profilers.empty() || options.trace != nullptr) {
      profilers.push_back(std::make_unique<Profiler>(compiled.graph, *executable, options.trace != nullptr));
    }
  }
  std::vector<TraceFile::Step> timed;
  for (std::int64_t i = 0; i < options.steps && !InterruptGuard::requested(); ++i) {
    timed.push_back(feed->run(session, compiled, last));
    for (const auto& profiler : profilers) profiler->add_run();
    const std::chrono::duration<double, std::milli> duration = timed.back().end - timed.back().begin;
    result.milliseconds.push_back(duration.count());
    logger().info("{} of {}: {:.1f} ms", i + 1, options.steps, result.milliseconds.back());
  }
  result.interrupted = InterruptGuard::requested();
  if (timed.empty()) fail(Error::Category::interrupted, "bench", "interrupted before anything was timed");
  result.profile = profilers.front()->profile();
  result.arena_bytes = compiled.executables.front()->arena_bytes();
  result.peak_bytes = bytes_of("/proc/self/status", "VmHWM:");
  result.huge_page_bytes = bytes_of("/proc/self/smaps_rollup", "AnonHugePages:");
  if (options.trace != nullptr) {
    std::vector<TraceFile::Replica> replicas;
    for (std::size_t i = 0; i < profilers.size(); ++i) {
      replicas.push_back({session.replicas().rank(static_cast<int>(i)), &profilers[i]->rows(), &profilers[i]->runs()});
    }
    options.trace->write(timed, replicas);
  }
  if (options.bandwidth) result.ceilings.bandwidth = session.bandwidth() / shares;
  return result;
}

}  // namespace qfw
