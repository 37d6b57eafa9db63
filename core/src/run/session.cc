#include "run/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>

#include "graph/init.h"
#include "io/log.h"
#include "io/progress.h"
#include "passes/dump.h"
#include "passes/finish.h"
#include "qfw/error.h"
#include "qfw/random.h"
#include "run/feeds.h"
#include "run/open_dataset.h"
#include "run/phase_check.h"
#include "util/parallel.h"

namespace qfw {

namespace {

LossScaling loss_scaling_of(const Recipe& recipe) {
  const std::optional<double> chosen = recipe.train().loss_scale;
  if (!chosen) {
    constexpr double first = 65536;
    return recipe.backend().compute == "f16" ? LossScaling{.scale = first, .adapts = true} : LossScaling{};
  }
  int exponent = 0;
  const double mantissa = std::frexp(*chosen, &exponent);
  if (mantissa != 0.5) {
    fail(Error::Category::usage, "train", fmt::format("train.loss_scale = {} is no power of two", *chosen), {},
         fmt::format("choose {} or {}, so that gradients are divided by it exactly", std::ldexp(0.5, exponent),
                     std::ldexp(1.0, exponent)));
  }
  return {.scale = *chosen};
}

/// What to try, one after the other, and the bytes that a step may take.
std::pair<std::vector<Recompute>, std::int64_t> recomputation(const TrainSettings& train) {
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  if (train.recompute == "auto") {
    if (!train.memory_limit_mib) return {{Recompute::elementwise}, no_limit};
    const std::int64_t limit = std::min(*train.memory_limit_mib, no_limit >> 20) << 20;
    return {{std::begin(recompute_levels), std::end(recompute_levels)}, limit};
  }
  const auto chosen = std::ranges::find_if(recompute_levels, [&](Recompute each) { return name_of(each) == train.recompute; });
  return {{*chosen}, no_limit};
}

/// As many as would be enough for a limit.
std::int64_t mebibytes(std::int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

}  // namespace

Session::Session(const Recipe& recipe, Data data)
    : recipe_(recipe),
      corrupt_(std::make_unique<CorruptExamples>(recipe.dataset().on_corrupt == "skip", recipe.dataset().max_corrupt)),
      augment_(recipe.make<Augment>()),
      model_(recipe.make<Layer>()),
      schedule_(recipe.make<Schedule>()),
      optimizer_(recipe.make<Optimizer>()),
      replicas_(recipe) {
  open_data(data);
  data_ = shape_of(recipe_, dataset_.get(), *augment_);
  count_steps();
  network_ = std::make_unique<Network>(recipe_, model_, data_);
}

void Session::open_data(Data data) {
  const Activity opening("opening the data set");
  if (data == Data::required) {
    dataset_ = open_dataset(recipe_, workers(), *corrupt_);
    return;
  }
  if (!recipe_.dataset_available()) return;
  try {
    dataset_ = open_dataset(recipe_, workers(), *corrupt_);
  } catch (const Error& error) {
    if (!shape_without_data(recipe_, *augment_)) throw;
    logger().warn("{}; going on with what the recipe says of it", error.what());
  }
}

void Session::count_steps() {
  length_ = run_length(recipe_, data_.train_examples, replicas_.size());
  train_batch_ = recipe_.train().batch_size / replicas_.size();
}

const Dataset& Session::dataset(std::string_view split) {
  if (!dataset_) fail(Error::Category::data, "dataset", "the data set " + recipe_.name("dataset") + " is not there");
  check_split(*dataset_, split, split == validation_split() ? "dataset.validation_split" : "dataset.train_split");
  if (noted_.emplace(split).second) {
    for (const std::string& note : dataset_->notes(split)) logger().warn("data set: {}", note);
  }
  const Activity preparing(fmt::format("opening split {}", split));
  prepare_split(*dataset_, split);
  return *dataset_;
}

int Session::workers() const {
  const std::int64_t asked = recipe_.dataset().workers;
  return asked > 0 ? static_cast<int>(asked) : std::max(1, backend().threads() * replicas_.count());
}

Backend::Peak Session::peak() {
  std::vector<Backend::Peak> here(static_cast<std::size_t>(replicas_.count()));
  replicas_.each([&](int i) { here[static_cast<std::size_t>(i)] = replicas_.backend(i).peak(); });
  const double processes = static_cast<double>(replicas_.size()) / replicas_.count();
  Backend::Peak sum;
  for (const Backend::Peak& each : here) {
    sum.f32 += processes * each.f32;
    sum.bf16 += processes * each.bf16;
    sum.integer += processes * each.integer;
  }
  return sum;
}

double Session::bandwidth() {
  std::vector<double> here(static_cast<std::size_t>(replicas_.count()));
  replicas_.each([&](int i) { here[static_cast<std::size_t>(i)] = replicas_.backend(i).bandwidth(); });
  double sum = 0;
  for (const double each : here) sum += each;
  return sum * replicas_.size() / replicas_.count();
}

std::int64_t Session::eval_batch() const { return eval_batch_of(recipe_, replicas_.size()); }

Clock Session::clock(std::int64_t step, bool training) const { return clock_at(recipe_, length_, step, training, warm_start_); }

double Session::rate(std::int64_t step) const {
  const double rate = schedule_->value(clock(step, true));
  if (rate >= 0 && rate <= std::numeric_limits<float>::max()) return rate;
  fail(Error::Category::plugin, "schedule",
       fmt::format("schedule {} gives step {} the learning rate {} (for a batch of {})", recipe_.name("schedule"), step, rate,
                   recipe_.train().batch_size),
       {}, "a rate is a finite number, at least 0: look at the schedule's options, or mend the plugin");
}

std::uint32_t Session::evaluation_phase(std::int64_t completed) const {
  std::string text;
  for (const Phase phase : phases(clock(completed, false))) text += fmt::format("{} ", phase);
  const std::uint64_t hash = hash_of(text);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

StepDescription Session::describe(const Clock& clock, std::int64_t batch) const {
  return network_->describe(recipe_, clock, batch, replicas_.size());
}

Graph Session::training_graph_at(std::int64_t step) const {
  return training_graph(describe(clock(step, true), train_batch()), *optimizer_, recipe_.optimizer().weight_decay,
                        loss_scaling_of(recipe_));
}

Graph Session::evaluation_graph_at(std::int64_t step) const {
  return evaluation_graph(describe(clock(step, false), eval_batch()));
}

Graph Session::diagnosis_graph_at(std::int64_t step, bool training) const {
  return diagnosis_graph(describe(clock(step, training), training ? train_batch() : eval_batch()), training);
}

Graph Session::prepared(Graph graph) const {
  check_inputs(graph);
  const Backend& backend = this->backend();
  graph = expand_composites(
      graph, [&](const Node& node) { return !backend.supports(graph, node).yes; }, replicas_.size());
  dump("expand", graph);
  for (const Node& node : graph.nodes) {
    if (const auto support = backend.supports(graph, node); !support.yes) {
      fail(Error::Category::device, "backend",
           fmt::format("{} does not take {}: {}", recipe_.name("backend"), name_of(node.op), support.reason),
           "layer " + node.path, "choose another backend");
    }
  }
  return graph;
}

Session::Compiled Session::compile_prepared(Graph graph) {
  std::vector<std::unique_ptr<Executable>> executables(static_cast<std::size_t>(replicas_.count()));
  replicas_.each([&](int i) {
    executables[static_cast<std::size_t>(i)] = replicas_.backend(i).compile(graph, replicas_.communicator(i));
  });
  return {std::move(graph), std::move(executables)};
}

void Session::run(const Compiled& compiled, std::int64_t step, std::span<const Exchange> exchanges) {
  replicas_.each([&](int i) {
    const auto place = static_cast<std::size_t>(i);
    const Exchange& exchange = exchanges[place];
    if (!exchange.upcoming.empty()) compiled.executables[place]->prefetch(exchange.upcoming);
    compiled.executables[place]->run({.index = step, .seed = seed()}, exchange.feeds, exchange.fetches);
  });
}

Session::Compiled Session::compile_training(std::int64_t step, Recompute how) {
  Compiled compiled = compile_prepared(recompute(prepared(training_graph_at(step)), how, replicas_.size()));
  compiled.recompute = how;
  return compiled;
}

/// As little is computed again as fits.
Session::Compiled Session::compile_fitting(std::int64_t step) {
  const Graph graph = prepared(training_graph_at(step));
  const auto [levels, limit] = recomputation(recipe_.train());
  std::int64_t variables = 0;
  for (const Variable& variable : graph.variables) variables += static_cast<std::int64_t>(variable.type.bytes());
  Compiled compiled;
  std::int64_t needed = 0;
  for (const Recompute level : levels) {
    Graph some_again = recompute(graph, level, replicas_.size());
    dump("recompute", some_again);
    compiled = compile_prepared(std::move(some_again));
    compiled.recompute = level;
    needed = variables + compiled.arena_bytes();
    if (needed <= limit) break;
  }
  if (needed > limit) {
    fail(Error::Category::usage, "train",
         fmt::format("a training step ({}) takes {} MiB even with all recomputed, more than train.memory_limit_mib = {}",
                     phase_text(clock(step, true)), mebibytes(needed), limit >> 20),
         {}, "make train.batch_size smaller, or the limit larger");
  }
  if (levels.size() > 1) {
    logger().info("recompute {}: a step takes {} MiB", name_of(compiled.recompute), mebibytes(needed));
  }
  return compiled;
}

Session::Compiled& Session::training(std::int64_t step) {
  const auto key = phases(clock(step, true));
  if (const auto known = training_.find(key); known != training_.end()) return known->second;
  logger().info("step {}: compiling a training step ({})", step, phase_text(clock(step, true)));
  const Activity compiling("compiling a training step");
  Compiled compiled = compile_fitting(step);
  if (!training_.empty() || !declared_.empty()) {
    check_same_variables(declared(), compiled.graph, fmt::format("from step {}", step));
  }
  return training_.emplace(key, std::move(compiled)).first->second;
}

Session::Evaluation& Session::evaluation(std::int64_t step) {
  const auto key = phases(clock(step, false));
  if (const auto known = evaluation_.find(key); known != evaluation_.end()) return known->second;
  const Activity compiling("compiling the evaluation");
  Graph graph = prepared(evaluation_graph_at(step));
  Freeze parts(graph, replicas_.size());
  dump("freeze, once", parts.prepare());
  Compiled prepare = compile(parts.prepare());  // on every replica: their backends learn of the variables by it
  Evaluation made{.graph = std::move(graph), .parts = std::move(parts), .prepare = std::move(prepare)};
  return evaluation_.emplace(key, std::move(made)).first->second;
}

Graph Session::freeze(const Evaluation& evaluation, std::int64_t step) {
  const Activity preparing("preparing the evaluation");
  const Graph& graph = evaluation.prepare.graph;
  std::vector<Freeze::Bytes> values;
  std::vector<HostTensor> fetches;
  for (const Fetch& fetch : graph.fetches) {
    const TensorType& type = graph.type(fetch.use);
    const auto bytes = std::make_shared<std::vector<std::byte>>(type.bytes());
    fetches.push_back({type, *bytes});
    values.push_back(bytes);
  }
  replicas_.each([&](int i) {
    if (i == 0) evaluation.prepare.executables.front()->run({.index = step, .seed = seed()}, {}, fetches);
  });
  Graph frozen = evaluation.parts.frozen(values);
  dump("freeze", frozen);
  return frozen;
}

Session::Compiled Session::frozen(const Evaluation& evaluation, std::int64_t step) { return compile(freeze(evaluation, step)); }

const std::vector<Variable>& Session::declared() {
  if (declared_.empty()) {
    const auto first = training_.find(phases(clock(0, true)));
    declared_ = first != training_.end() ? first->second.graph.variables : prepared(training_graph_at(0)).variables;
  }
  return declared_;
}

const std::vector<Variable>& Session::variables() {
  if (training_.empty()) training(0);
  return declared();
}

std::vector<Session::Curve> Session::observed() {
  std::map<std::string, std::string, std::less<>> tags;
  for (Quantizer::Observed& each : quantizers().observed())
    tags.insert_or_assign(std::move(each.variable), std::move(each.tag));
  std::vector<Curve> curves;
  for (const Variable& variable : variables()) {
    if (auto found = tags.extract(variable.name)) curves.push_back({std::move(found.mapped()), variable});
  }
  if (tags.empty()) return curves;
  fail(Error::Category::plugin, "quantizer",
       fmt::format("quantizer {} wants {} observed, which it has not declared", recipe_.name("quantizer"), tags.begin()->first),
       {}, "Quantizer::observed() names variables below the layer's path (qfw/quantizer.h)");
}

std::int64_t Session::variable_bytes() {
  std::int64_t bytes = 0;
  for (const Variable& variable : variables()) bytes += static_cast<std::int64_t>(variable.type.bytes());
  return bytes;
}

void Session::initialize_variables() {
  const std::vector<Variable>& all = variables();
  std::mutex writing;
  const int threads = backend().threads() * replicas_.count();
  parallel_for(threads, static_cast<std::int64_t>(all.size()), [&](std::int64_t i) {
    const Variable& variable = all[static_cast<std::size_t>(i)];
    std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()));
    initialize(variable, seed(), values);
    const std::lock_guard lock(writing);
    write(variable.name, {variable.type, std::as_bytes(std::span(values))});
  });
}

void Session::continue_from(const CheckpointInfo& info) { warm_start_ = info.warm_start; }

void Session::restore(const Checkpoint& checkpoint, std::span<const Variable> wanted) {
  for (const Variable& variable : wanted) {
    std::vector<std::byte> bytes(variable.type.bytes());
    checkpoint.read(variable.name, {variable.type, bytes});
    write(variable.name, {variable.type, bytes});
  }
}

std::vector<std::string> layer_paths(const Recipe& recipe) {
  const auto augment = recipe.make<Augment>();
  const auto model = recipe.make<Layer>();
  std::unique_ptr<Dataset> dataset;
  if (!shape_without_data(recipe, *augment) || !recipe.dataset().classes) dataset = recipe.make<Dataset>();
  return layer_paths(recipe, *model, shape_of(recipe, dataset.get(), *augment));
}

Recipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides, const Catalog& catalog,
                   Session::Data data) {
  LoadOptions options;
  options.dataset_optional = data == Session::Data::optional;
  LoadedRecipe loaded = LoadedRecipe::load(file, overrides, plugins_of(catalog), options);
  if (loaded.awaits_layers()) {
    try {
      loaded.check_layers(layer_paths(loaded.recipe()));
    } catch (const std::exception&) {  // for want of something else that is wrong; the session comes back to it
    }
  }
  Recipe recipe = loaded.checked();
  for (const std::string& note : recipe.notes()) logger().warn("{}", note);
  return recipe;
}

}  // namespace qfw
