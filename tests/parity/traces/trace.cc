#include "parity/traces/trace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <random>

#include "parity/tolerances.h"
#include "qfw/format.h"
#include "support/evaluate.h"

namespace qfw::parity {

std::vector<std::string> trace_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(golden::folder())) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("resnet_trace_") && name.ends_with(".h5")) files.push_back(name);
  }
  std::ranges::sort(files);
  return files;
}

std::string trace_test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(0, info.param.rfind('.'));
  std::ranges::replace_if(
      name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

Trace::Trace(const std::string& file)
    : file_(file),
      group_(golden::Group::open(file)),
      batches_(golden::Group::open(group_.text("batches_file"))),
      images_(batches_.floats("images")),
      eval_images_(batches_.floats("eval_images")),
      labels_(batches_.integers("labels")),
      order_(group_.integers("batch_order")),
      divergence_(boost::json::parse(group_.text_data("divergence_json"))) {}

std::size_t Trace::place(int step, int replica) const {
  return static_cast<std::size_t>(order_[static_cast<std::size_t>(step * replicas() + replica)]);
}

std::span<const float> Trace::images(int step, int replica) const {
  const std::size_t size = images_.values.size() / static_cast<std::size_t>(images_.shape[0]);
  return std::span(images_.values).subspan(place(step, replica) * size, size);
}

std::vector<float> Trace::targets(int step, int replica) const {
  std::vector<float> targets(static_cast<std::size_t>(batch() * classes()));
  for (std::int64_t i = 0; i < batch(); ++i) {
    const auto label = labels_[place(step, replica) * static_cast<std::size_t>(batch()) + static_cast<std::size_t>(i)];
    targets[static_cast<std::size_t>(i * classes() + label)] = 1;
  }
  return targets;
}

double Trace::spread(const std::string& what) const {
  const boost::json::value* found = divergence_.as_object().if_contains(what);
  return found != nullptr && found->is_number() ? found->to_number<double>() : 0;
}

double Trace::spread(const std::string& what, std::size_t step) const {
  const boost::json::value* found = divergence_.as_object().if_contains(what);
  return found != nullptr && found->is_array() ? found->get_array().at(step).to_number<double>() : 0;
}

bool Trace::steady(int step) const {
  for (int t = 0; t <= step; ++t) {
    if (!(spread("loss_abs_per_step", static_cast<std::size_t>(t)) < flip)) return false;
  }
  return true;
}

std::string Trace::recipe(const std::filesystem::path& json) const {
  const auto number = [&](const char* name) { return static_cast<std::int64_t>(group_.number(name)); };
  const std::int64_t together = batch() * replicas();
  return fmt::format(
      "base_config_filename = {}\n"
      "[model]\nstages = {}\nnum_filters = {}\nfilter_multiplier = {}\n"
      "[dataset]\nname = trace\nshape = {},{},3\nclasses = {}\ntrain_examples = {}\n"
      "[train]\nbatch_size = {}\n[eval]\nbatch_size = {}\n"
      "[communicator]\nname = {}\n{}",
      json.string(), fmt::join(group_.numbers("stage_sizes"), ","), number("num_filters"), group_.number("filter_multiplier"),
      number("height"), number("width"), classes(), number("steps_per_epoch") * together, together,
      eval_images_.shape[0] * replicas(), replicas() > 1 ? "threads" : "single",
      replicas() > 1 ? fmt::format("replicas = {}\n", replicas()) : "");
}

Run::Run(const Trace& trace, const Options& options) : trace_(trace), nudge_(options.nudge) {
  const auto json = folder_.path() / "hparams.json";
  std::ofstream(json) << trace.hparams();
  LoadOptions load;
  load.dataset_optional = true;
  std::vector<std::string> overrides = {"backend.name=" + options.backend, "quantizer.arithmetic=" + options.arithmetic};
  if (options.backend == "cpu" && trace.replicas() > 1) overrides.push_back("backend.threads=1");
  session_ = std::make_unique<Session>(
      Recipe::parse(trace.recipe(json), folder_.path() / "trace.ini", overrides, testing::catalog(), load),
      Session::Data::optional);
  session_->initialize_variables();

  const auto variables = session_->variables();
  std::map<std::string, TensorType> types;
  for (const Variable& variable : variables) types.emplace(variable.name, variable.type);
  for (const Format::Tensor& tensor : testing::make<Format>("aqt")->tensors(variables, {})) {
    const std::size_t slash = tensor.path.find('/');
    const std::string part = tensor.path.substr(0, slash), path = tensor.path.substr(slash + 1);
    places_[part].push_back({tensor.variable, path, types.at(tensor.variable)});
    if (part != "params") continue;
    for (const auto& [slot, theirs] : {std::pair{"velocity", "momentum"}, {"mu", "adam_mu"}, {"nu", "adam_nu"}}) {
      const std::string name = fmt::format("optimizer/{}/{}", tensor.variable, slot);
      if (types.contains(name)) places_[theirs].push_back({name, path, types.at(name)});
    }
  }
}

std::vector<Run::Place> Run::places(const std::string& part) { return places_[part.substr(0, part.find("_replica"))]; }

void Run::load(const std::string& state) {
  for (const auto& [part, all] : places_) {
    if (trace_.group().has(state + "/" + part)) load(state, part);
  }
}

namespace {

/// Every number moves by up to nudged_ulps units in its last place: what rounding does anyway.
void nudge(std::vector<float>& values, std::mt19937& random) {
  for (float& value : values) {
    const int steps = static_cast<int>(random() % (2 * nudged_ulps + 1)) - nudged_ulps;
    for (int i = 0; i < std::abs(steps); ++i) value = std::nextafter(value, steps > 0 ? INFINITY : -INFINITY);
  }
}

}  // namespace

void Run::load(const std::string& state, const std::string& part) {
  std::mt19937 random(nudge_);
  for (const Place& place : places(part)) {
    auto values = trace_.group().floats(fmt::format("{}/{}/{}", state, part, place.path)).values;
    if (nudge_ != 0 && part == "params") nudge(values, random);
    if (static_cast<std::int64_t>(values.size()) != place.type.shape.count()) {
      throw std::runtime_error(
          fmt::format("{} has {} values, {} in {}", place.variable, place.type.shape.count(), values.size(), state));
    }
    session_->write(place.variable, {place.type, std::as_bytes(std::span(values))});
  }
}

Run::Step Run::train(int step, int of_order) {
  const Session::Compiled& compiled = session_->training(step);
  const auto rate = static_cast<float>(session_->rate(step));
  const auto replicas = static_cast<std::size_t>(trace_.replicas());
  Step result;
  result.logits.assign(replicas, std::vector<float>(static_cast<std::size_t>(trace_.batch() * trace_.classes())));
  std::vector<float> losses(replicas);
  std::vector<std::vector<float>> targets;
  for (int r = 0; r < trace_.replicas(); ++r) targets.push_back(trace_.targets(of_order, r));
  std::vector<Session::Exchange> exchanges(replicas);
  for (std::size_t r = 0; r < replicas; ++r) {
    for (const Input& input : compiled.graph.inputs) {
      const std::span<const float> values = input.name == step_names::images    ? trace_.images(of_order, static_cast<int>(r))
                                            : input.name == step_names::targets ? std::span<const float>(targets[r])
                                                                                : std::span(&rate, 1);
      exchanges[r].feeds.emplace_back(input.type, std::as_bytes(values));
    }
    exchanges[r].fetches = {
        {{{}, DType::f32}, std::as_writable_bytes(std::span(&losses[r], 1))},
        {{{trace_.batch(), trace_.classes()}, DType::f32}, std::as_writable_bytes(std::span(result.logits[r]))}};
  }
  session_->run(compiled, step, exchanges);
  result.loss = losses[0];
  return result;
}

std::vector<float> Run::evaluate(int completed) {
  const Session::Compiled compiled = session_->frozen(session_->evaluation(completed), completed);
  const auto images = trace_.eval_images();
  const auto replicas = static_cast<std::size_t>(trace_.replicas());
  const std::int64_t batch = session_->eval_batch();
  std::vector<std::vector<float>> logits(replicas, std::vector<float>(static_cast<std::size_t>(batch * trace_.classes())));
  std::vector<Session::Exchange> exchanges(replicas);
  for (std::size_t r = 0; r < replicas; ++r) {
    exchanges[r].feeds.emplace_back(compiled.graph.inputs.at(0).type, std::as_bytes(images));
    exchanges[r].fetches = {{{{batch, trace_.classes()}, DType::f32}, std::as_writable_bytes(std::span(logits[r]))}};
  }
  session_->run(compiled, completed, exchanges);
  return logits[0];
}

std::vector<float> Run::read(const Place& place) {
  std::vector<float> values(static_cast<std::size_t>(place.type.shape.count()));
  session_->read(place.variable, {place.type, std::as_writable_bytes(std::span(values))});
  return values;
}

std::vector<float> Run::read_all(const std::string& part) {
  std::vector<float> all;
  for (const Place& place : places(part)) {
    const auto values = read(place);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

Run::Pair Run::compare(const std::string& state, const std::string& part) {
  Pair pair;
  pair.ours = read_all(part);
  for (const Place& place : places(part)) {
    const std::string path = fmt::format("{}/{}", part, place.path);
    auto values = trace_.group().floats(state + "/" + path).values;
    if (const std::string other = fmt::format("{}/{}_replica1/{}", state, part, place.path); trace_.group().has(other)) {
      const auto second = trace_.group().floats(other).values;  // we keep the mean of both
      for (std::size_t i = 0; i < values.size(); ++i) values[i] = (values[i] + second[i]) / 2;
    }
    pair.theirs.insert(pair.theirs.end(), values.begin(), values.end());
  }
  if (pair.ours.size() != pair.theirs.size()) throw std::runtime_error("parts of different sizes: " + state + "/" + part);
  return pair;
}

std::vector<float> Run::gradients(const std::string& group) {
  std::vector<float> all;
  for (const Place& place : places("params")) {
    const auto values = trace_.group().floats(group + "/" + place.path).values;
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

Run::Pair Run::compare_bounds(std::size_t step) {
  Pair pair;
  constexpr std::string_view tail = "GetBounds_0/bounds";
  for (const Place& place : places("get_bounds")) {
    if (!place.path.ends_with(tail)) continue;
    const auto ours = read(place);
    const auto all = trace_.group().floats("bounds/" + place.path.substr(0, place.path.rfind('/'))).values;
    if (all.size() != ours.size() * static_cast<std::size_t>(trace_.steps())) {
      throw std::runtime_error(
          fmt::format("{} has {} values, those of {} steps are {}", place.variable, ours.size(), trace_.steps(), all.size()));
    }
    pair.ours.insert(pair.ours.end(), ours.begin(), ours.end());
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(step * ours.size());
    pair.theirs.insert(pair.theirs.end(), begin, begin + static_cast<std::ptrdiff_t>(ours.size()));
  }
  return pair;
}

double Run::Pair::relative() const {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    difference += (double{ours[i]} - theirs[i]) * (double{ours[i]} - theirs[i]);
    norm += double{theirs[i]} * theirs[i];
  }
  if (std::isnan(difference)) return INFINITY;
  return norm > 0 ? std::sqrt(difference / norm) : difference > 0 ? INFINITY : 0;
}

}  // namespace qfw::parity
