#include "run/feeds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/step.h"
#include "support/files.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::vector<float> images{1, 2, 3, 4}, targets{0, 1};
const float rate = 0.5f;

Graph graph_with(const std::vector<Input>& inputs) {
  Graph graph;
  graph.inputs = inputs;
  return graph;
}

TEST(Feeds, FollowTheOrderOfTheGraphsInputs) {
  const Graph graph = graph_with(
      {{.name = step_names::rate, .type = {{}, DType::f32}}, {.name = step_names::images, .type = {{1, 2, 2, 1}, DType::f32}}});
  const auto feeds =
      feeds_of(graph, {{step_names::images, images}, {step_names::targets, targets}, {step_names::rate, {&rate, 1}}});
  ASSERT_EQ(feeds.size(), 2u);
  EXPECT_EQ(feeds[0].bytes.data(), std::as_bytes(std::span(&rate, 1)).data());
  EXPECT_EQ(feeds[1].bytes.data(), std::as_bytes(std::span(images)).data());
  EXPECT_EQ(feeds[1].bytes.size(), 16u);
}

TEST(Feeds, AnInputThatNobodyKnowsIsAnErrorAndNotTheRate) {
  const Graph graph = graph_with(
      {{.name = step_names::images, .type = {{1, 2, 2, 1}, DType::f32}}, {.name = "noise", .type = {{3}, DType::f32}}});
  EXPECT_THAT(test::message_of(Error::Category::graph,
                               [&] {
                                 feeds_of(graph, {{step_names::images, images}, {step_names::rate, {&rate, 1}}});
                               }),
              AllOf(HasSubstr("the input 'noise' f32[3]"), HasSubstr("images, rate")));
  EXPECT_THAT(test::message_of(Error::Category::graph, [&] { check_inputs(graph); }), HasSubstr("'noise'"));
}

TEST(Feeds, AnEvaluationHasNoTargets) {
  const Graph graph = graph_with({{.name = step_names::targets, .type = {{2}, DType::f32}}});
  check_inputs(graph);  // a training step has them
  EXPECT_THAT(test::message_of(Error::Category::graph,
                               [&] {
                                 feeds_of(graph, {{step_names::images, images}});
                               }),
              HasSubstr("the input 'targets'"));
}

}  // namespace
}  // namespace qfw
