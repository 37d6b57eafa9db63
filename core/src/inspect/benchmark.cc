#include "inspect/benchmark.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>

#include "inspect/work.h"
#include "io/log.h"
#include "qfw/error.h"
#include "qfw/random.h"
#include "run/phases.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

std::int64_t peak_resident_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * std::stoll(line.substr(6));
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
    exchanges_.assign(static_cast<std::size_t>(replicas), {.feeds = feeds, .fetches = {}});
    for (auto& exchange : exchanges_) {
      for (const Fetch& fetch : graph.fetches) {
        const TensorType& type = graph.type(fetch.use);
        auto& values = buffers_.emplace_back(static_cast<std::size_t>(type.shape.count()));
        exchange.fetches.push_back({type, std::as_writable_bytes(std::span(values))});
      }
    }
  }

  /// Every replica is fed the same; milliseconds of the step.
  double run(Session& session, const Session::Compiled& compiled, std::int64_t step) {
    const auto begin = std::chrono::steady_clock::now();
    session.run(compiled, step, exchanges_);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
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

Benchmark benchmark(Session& session, std::int64_t steps, bool training) {
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
  result.peak_images_per_second = peak_images_per_second(work_of(compiled.graph, batch), session.peak());
  feed->run(session, compiled, last);  // warms caches
  Executable& first = *compiled.executables.front();
  first.profile(true);
  for (std::int64_t i = 0; i < steps && !InterruptGuard::requested(); ++i) {
    result.milliseconds.push_back(feed->run(session, compiled, last));
    logger().info("{} of {}: {:.1f} ms", i + 1, steps, result.milliseconds.back());
  }
  result.interrupted = InterruptGuard::requested();
  const auto timed = static_cast<double>(result.milliseconds.size());
  if (timed == 0) fail(Error::Category::interrupted, "bench", "interrupted before anything was timed");
  for (Executable::Timing timing : first.timings()) {
    timing.milliseconds /= timed;
    timing.calls /= static_cast<std::int64_t>(timed);
    result.kinds.push_back(std::move(timing));
  }
  first.profile(false);
  std::ranges::sort(result.kinds, std::greater{}, &Executable::Timing::milliseconds);
  result.arena_bytes = first.arena_bytes();
  result.peak_bytes = peak_resident_bytes();
  return result;
}

}  // namespace qfw
