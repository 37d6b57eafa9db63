#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "run/session.h"
#include "support/evaluate.h"
#include "unit/fused/compare_kinds.h"

namespace qfw::cpu::testing {
namespace {

std::vector<std::string> recipes() {
  std::vector<std::string> names;
  const std::filesystem::path folder = QFW_SOURCE_DIR "/recipes";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".ini") names.push_back(std::filesystem::relative(entry.path(), folder).string());
  }
  std::ranges::sort(names);
  return names;
}

/// The recipe on small images, with few channels: extents are arguments of the code. They leave rests of vectors in several
/// layers.
Recipe small(const std::string& recipe) {
  LoadOptions load;
  load.dataset_optional = true;
  std::vector<std::string> overrides = {"train.batch_size=2", "eval.batch_size=2"};
  if (recipe.find("resnet") != recipe.npos)
    overrides.insert(overrides.end(), {"dataset.shape=45,45,3", "model.num_filters=12"});
  if (recipe.find("jpeg") != recipe.npos) {  // whose data a user makes first
    overrides.insert(overrides.end(), {"dataset.shape=64,64,1", "dataset.classes=10", "dataset.train_examples=60000"});
  }
  return Recipe::load(QFW_SOURCE_DIR "/recipes/" + recipe, overrides, ::qfw::testing::catalog(), load);
}

class Groups : public ::testing::TestWithParam<std::string> {};

TEST_P(Groups, EqualInterpreter) {
  if (body_kinds().size() == 1) GTEST_SKIP() << "no code is made for this processor";
  const Session session(small(GetParam()), Session::Data::optional);
  const std::int64_t steps = session.total_steps();
  std::set<std::string> seen;
  std::mt19937 random(1);
  Counts counts;
  const auto compare = [&](Graph unprepared) {
    const Graph graph = session.prepared(std::move(unprepared));
    for (const lowering::Item& item : lowering::group_nodes(graph, target())) {
      if (!item.group || !seen.insert(lowering::to_string(lowering::program_of(graph, *item.group))).second) continue;
      Tensors inputs;
      for (const Use use : item.group->inputs) inputs[{use.node, use.output}] = wild_memory(graph.type(use), random);
      std::vector<Memory> outputs;
      compare_kinds(graph, *item.group, inputs, counts, outputs);
      if (HasFatalFailure()) return;
    }
  };
  for (const std::int64_t step : {std::int64_t{0}, steps / 2, steps - 1}) {
    compare(session.training_graph_at(step));
    if (!HasFatalFailure()) compare(session.evaluation_graph_at(step));
    if (HasFatalFailure()) return;
  }
  for (const auto& [why, times] : counts.refused) {
    EXPECT_THAT(why, ::testing::AnyOf("exp", "log", "rows shorter than a vector")) << times;  // of the loss, over ten classes
  }
  EXPECT_GT(counts.compared, 50 * (static_cast<int>(body_kinds().size()) - 1));  // by each kind of code
}

INSTANTIATE_TEST_SUITE_P(Recipe, Groups, ::testing::ValuesIn(recipes()), [](const auto& info) {
  std::string name = info.param;
  std::ranges::replace_if(
      name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace qfw::cpu::testing
