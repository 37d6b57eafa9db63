#include "inspect/profile.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "inspect/benchmark.h"
#include "inspect/explanation.h"
#include "inspect/layer_times.h"
#include "inspect/trace.h"
#include "inspect/work.h"
#include "io/json.h"
#include "micro.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

Profile::Row row(const std::string& layer, Part part, double milliseconds, double multiplications, std::int64_t bytes) {
  Profile::Row row;
  row.task.kind = name_of(part);
  row.task.bytes = bytes;
  row.layer = layer;
  row.part = part;
  row.multiplications = multiplications;
  row.milliseconds = milliseconds;
  return row;
}

const Ceilings ceilings{.peak = {.f32 = 1e9}, .bandwidth = 1e9};

TEST(Ceiling, OfATaskIsTheSlowerOfMultiplyingAndMoving) {
  EXPECT_DOUBLE_EQ(ceiling_milliseconds(row("a", Part::forward, 9, 2e6, 1000), ceilings), 2);
  EXPECT_DOUBLE_EQ(ceiling_milliseconds(row("a", Part::forward, 9, 2e6, 5000000), ceilings), 5);
  EXPECT_DOUBLE_EQ(ceiling_milliseconds(row("a", Part::forward, 9, 2e6, 5000000), {.peak = {.f32 = 1e9}}), 2);
  Profile profile{.rows = {row("a", Part::forward, 9, 2e6, 1000), row("a", Part::passes, 4, 0, 3000000)}, .layers = {"a"}};
  EXPECT_DOUBLE_EQ(ceiling_of(profile, ceilings).milliseconds, 2 + 3);
  EXPECT_TRUE(ceiling_of(profile, ceilings).all_peaks_known);
  profile.rows[0].operands = DType::u8;
  EXPECT_NEAR(ceiling_of(profile, ceilings).milliseconds, 3, 0.01);
  EXPECT_FALSE(ceiling_of(profile, ceilings).all_peaks_known);
}

std::vector<std::string> names(const std::vector<LayerTimes>& layers) {
  std::vector<std::string> names;
  for (const LayerTimes& layer : layers) names.push_back(layer.layer);
  return names;
}

Profile network() {
  Profile profile;
  const auto add = [&](const std::string& layer, double multiplications, double milliseconds) {
    const Part part = multiplications > 0 ? Part::forward : Part::passes;
    profile.rows.push_back(row(layer, part, milliseconds, multiplications, 1000000));
    if (std::ranges::find(profile.layers, layer) == profile.layers.end()) profile.layers.push_back(layer);
  };
  add(optimizer_scope, 0, 1);
  add("init_conv", 1e6, 1);
  add("init_bn", 0, 1);
  for (const char* block : {"s1/b0", "s1/b1", "s1/b2", "s2/b3"}) {
    add(block + std::string("/conv"), block == std::string("s1/b0") ? 2e6 : 1e6, 4);
    add(block + std::string("/bn"), 0, 1);
    add(block, 0, 1);
  }
  add("dense", 1e6, 1);
  return profile;
}

TEST(LayerTimes, StandInTheOrderOfTheNetworkAndWhatIsNoLayerBelow) {
  const auto layers = layer_times(network(), ceilings);
  EXPECT_EQ(layers.front().layer, "init_conv");
  EXPECT_EQ(layers.back().layer, optimizer_scope);
  const auto few = by_matmul(layers);
  EXPECT_THAT(names(few),
              ElementsAre("init_conv", "s1/b0/conv", "s1/b1/conv", "s1/b2/conv", "s2/b3/conv", "dense", "optimizer"));
  EXPECT_DOUBLE_EQ(few[1].of(Part::forward).milliseconds, 4);
  EXPECT_DOUBLE_EQ(few[1].of(Part::passes).milliseconds, 2) << "the batch normalisation and the block's own";
  EXPECT_DOUBLE_EQ(*few[1].all().peak_share(), 0.5);
  EXPECT_DOUBLE_EQ(*few[1].all().bandwidth_share(), 1);
}

TEST(LayerTimes, OfEqualBlocksAreFoldedAndNothingIsLost) {
  const auto layers = by_matmul(layer_times(network(), ceilings)), folded = fold_blocks(layers);
  EXPECT_THAT(names(folded), ElementsAre("init_conv", "s1/b0/conv", "s1/b1-2/conv", "s2/b3/conv", "dense", "optimizer"));
  EXPECT_DOUBLE_EQ(folded[2].of(Part::forward).milliseconds, 8);
  EXPECT_DOUBLE_EQ(folded[2].all().multiplications, 2e6);
  double all = 0;
  for (const LayerTimes& layer : folded) all += layer.all().milliseconds;
  EXPECT_DOUBLE_EQ(all, network().milliseconds());
}

Session micro_session(const std::filesystem::path& folder, std::vector<std::string> overrides = {}) {
  return Session(test::micro_recipe(folder, std::move(overrides)), Session::Data::required);
}

/// The multiplications of the parts are those of the step, and the layers the model's.
TEST(LayerNames, OfWhatServesManyLayersAlikeIsNoneOfThem) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{4}, DType::f32}, true);
  std::vector<int> nodes;
  for (const char* layer : {"a", "b", "c", "d", "e"}) {
    const auto scope = g.scope(layer);
    nodes.push_back(relu(x).node());
  }
  const LayerNames names(g.graph());
  EXPECT_EQ(names.of(nodes), several_layers);
  EXPECT_EQ(names.of(std::vector(nodes.begin(), nodes.begin() + 4)), "a");
  EXPECT_EQ(names.of({nodes[1], nodes[1], nodes[0], nodes[2], nodes[3], nodes[4]}), "b");
  EXPECT_FALSE(is_of_the_model(several_layers));
}

TEST(Profile, OfATrainingStepHasEveryMultiplicationAtItsLayer) {
  const test::TemporaryFolder folder;
  for (const char* arithmetic : {"integer", "fake_quant"}) {
    Session session(test::micro_recipe(folder.path(), {std::string("quantizer.arithmetic=") + arithmetic}),
                    Session::Data::required);
    const Benchmark result = benchmark(session, {.steps = 3});
    const Graph graph = session.prepared(session.training_graph_at(session.total_steps() - 1));
    const auto batch = static_cast<double>(session.train_batch());
    const Work work = work_of(graph, session.train_batch());
    double integer = 0, floats = 0;
    for (const auto& each : result.profile.rows) (each.operands == DType::f32 ? floats : integer) += each.multiplications;
    EXPECT_DOUBLE_EQ(integer, batch * work.integer);
    EXPECT_DOUBLE_EQ(floats, batch * work.f32);

    const auto layers = layer_times(result.profile, result.ceilings);
    std::size_t matmuls = 0;
    for (const Explanation::LayerRow& layer : explain(std::as_const(session)).layers) {
      const auto found = std::ranges::find(layers, layer.path, &LayerTimes::layer);
      ASSERT_NE(found, layers.end()) << layer.path;
      const double once = batch * static_cast<double>(layer.multiplications);
      EXPECT_DOUBLE_EQ(found->of(Part::forward).multiplications, once) << layer.path;
      EXPECT_DOUBLE_EQ(found->of(Part::backward_weights).multiplications, once) << layer.path;
      EXPECT_DOUBLE_EQ(found->of(Part::backward_data).multiplications, layer.path == "init_conv" ? 0 : once) << layer.path;
      EXPECT_GT(found->of(Part::forward).milliseconds, 0);
      ++matmuls;
    }
    EXPECT_EQ(matmuls, 6u);
    EXPECT_THAT(names(layers), Contains("stage1/block0/bn_1"));
    EXPECT_FALSE(is_of_the_model(layers.back().layer)) << layers.back().layer;

    double of_layers = 0, of_kinds = 0, mean = 0;
    for (const LayerTimes& layer : layers) of_layers += layer.all().milliseconds;
    for (const auto& kind : result.profile.by_kind()) of_kinds += kind.milliseconds;
    for (const double step : result.milliseconds) mean += step / 3;
    EXPECT_NEAR(of_layers, result.profile.milliseconds(), 1e-6);
    EXPECT_NEAR(of_kinds, result.profile.milliseconds(), 1e-6);
    EXPECT_LE(of_layers, mean);
    EXPECT_GT(of_layers, 0.3 * mean) << "what a step does outside of its tasks is little";
  }
}

TEST(Profile, OfAnEvaluationMultipliesForward) {
  const test::TemporaryFolder folder;
  Session session = micro_session(folder.path());
  const Benchmark result = benchmark(session, {.steps = 1, .training = false});
  for (const auto& each : result.profile.rows) {
    EXPECT_TRUE(each.part != Part::backward_data && each.part != Part::backward_weights) << each.task.kind;
  }
}

struct Event {
  std::string phase, name;
  std::int64_t row = 0;
  double begin = 0, end = 0;
};

std::vector<Event> events_of(const std::filesystem::path& file) {
  const auto trace = read_json(file);
  std::vector<Event> events;
  for (const auto& each : trace.at("traceEvents").as_array()) {
    const auto& event = each.as_object();
    Event& read = events.emplace_back();
    read.phase = event.at("ph").as_string();
    read.name = event.at("name").as_string();
    read.row = event.at("tid").as_int64();
    EXPECT_EQ(event.at("pid").as_int64(), 1);
    if (read.phase != "X") continue;
    read.begin = event.at("ts").to_number<double>();
    read.end = read.begin + event.at("dur").to_number<double>();
  }
  return events;
}

TEST(Trace, HasEveryTaskOfEveryReplicaInsideOfItsStep) {
  const test::TemporaryFolder folder;
  Session session(test::micro_recipe(folder.path(), {"communicator.name=threads", "communicator.replicas=2"}),
                  Session::Data::required);
  const auto file = folder.path() / "trace.json";
  {
    TraceFile trace(file, "a test");
    const Benchmark result = benchmark(session, {.steps = 2, .trace = &trace});
    const auto events = events_of(file);
    const double overlap = 0.001;  // of what is printed in microseconds
    std::size_t steps = 0, tasks = 0, exchanges = 0;
    for (const Event& event : events) {
      if (event.phase != "X") continue;
      const bool is_step = event.name.starts_with("step ");
      (is_step ? steps : tasks) += 1;
      if (is_step) continue;
      const bool apart = event.name.find("all_reduce") != event.name.npos || event.name.find("replicas") != event.name.npos;
      exchanges += apart ? 1 : 0;
      EXPECT_EQ(event.row % 2 == 0, apart) << event.name;
      const std::int64_t of_replica = apart ? event.row - 1 : event.row;
      const bool inside = std::ranges::any_of(events, [&](const Event& step) {
        return step.phase == "X" && step.row == of_replica && step.name.starts_with("step ") &&
               step.begin <= event.begin + overlap && event.end <= step.end + overlap;
      });
      EXPECT_TRUE(inside) << event.name;
    }
    EXPECT_EQ(steps, 2u * 2u);
    EXPECT_EQ(tasks, 2u * 2u * result.profile.rows.size());
    EXPECT_GT(exchanges, 0u);
    std::vector<std::string> titles;
    for (const Event& event : events) titles.push_back(event.phase + " " + event.name);
    EXPECT_THAT(titles, Contains("M process_name"));
    EXPECT_THAT(titles, Contains("X stage1/block0/conv_2 conv2d backward weights"));
  }
}

TEST(Trace, AppearsOnlyWhenItIsWhole) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "trace.json";
  { const TraceFile trace(file, "never written"); }
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace qfw
