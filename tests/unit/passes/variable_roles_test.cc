#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/step.h"
#include "qfw/error.h"
#include "support.h"

namespace qfw {
namespace {

using ::testing::HasSubstr;
using Role = Variable::Role;

TEST(VariableRole, IsThatOfTheDeclaration) {
  GraphBuilder g({.training = true});
  g.state("limit", {}, Init::constant(-1), Role::operand_bounds);
  g.state("count", {});
  g.parameter("kernel", {2, 2}, Init::lecun_normal());
  const auto& variables = g.graph().variables;
  EXPECT_EQ(variables[0].role, Role::operand_bounds);
  EXPECT_EQ(variables[1].role, Role::other);
  EXPECT_EQ(variables[2].role, Role::other);
}

TEST(VariableRole, DeclaredTwiceMustAgree) {
  GraphBuilder g({.training = true});
  const auto scope = g.scope("layer");
  g.state("mean", {3}, Init::zeros(), Role::batch_statistics);
  g.state("mean", {3}, Init::zeros(), Role::batch_statistics);
  try {
    g.state("mean", {3}, Init::zeros(), Role::operand_statistics);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("layer/mean was declared for another role"));
  }
}

TEST(VariableRole, OfNormalizationsSurvivesAllPasses) {
  const testing::Model model([](GraphBuilder& g, Value x, std::int64_t classes) {
    return layers::linear(g, "dense", testing::flat(layers::batch_norm(g, "bn", x)), {.features = classes});
  });
  const testing::Floats floats;
  const auto sgd = testing::make<Optimizer>("sgd");
  const StepDescription description = testing::description(model, floats);
  for (const Graph& graph : {training_graph(description, *sgd, 1e-4), evaluation_graph(description)}) {
    std::size_t statistics = 0;
    for (const Variable& variable : graph.variables) {
      const bool expected = variable.name == "bn/mean" || variable.name == "bn/variance";
      EXPECT_EQ(variable.role == Role::batch_statistics, expected) << variable.name;
      statistics += expected;
    }
    EXPECT_EQ(statistics, 2u);
  }
}

}  // namespace
}  // namespace qfw
