#include "passes/differentiate.h"

#include <gmock/gmock.h>

#include "qfw/error.h"
#include "support.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;

/// The gradients of `build`'s result with respect to a and b, which are {2, 3} and {5, 7}.
Evaluator::Values gradients(const std::function<Value(GraphBuilder&, Value, Value)>& build) {
  GraphBuilder g({.training = true});
  const Value a = g.parameter("a", {2}, Init::zeros()), b = g.parameter("b", {2}, Init::zeros());
  const Value parameters[] = {a, b};
  const auto found = differentiate(g, build(g, a, b), parameters);
  g.fetch("a", found[0]);
  g.fetch("b", found[1]);
  return Evaluator().run(g, {{"a", {2, 3}}, {"b", {5, 7}}});
}

TEST(Differentiate, AddsUpWhatReachesASharedValue) {
  const auto found = gradients([](GraphBuilder&, Value a, Value b) {
    const Value shared = a * b;
    return sum(shared * shared + 3 * shared);  // d / d shared = 2 shared + 3
  });
  EXPECT_THAT(found.at("a"), ElementsAre(23 * 5, 45 * 7));
  EXPECT_THAT(found.at("b"), ElementsAre(23 * 2, 45 * 3));
}

TEST(Differentiate, SumsABroadcastOperandsGradientToItsShape) {
  const auto found = gradients([](GraphBuilder&, Value a, Value b) { return sum(reshape(a, {2, 1}) * b); });
  EXPECT_THAT(found.at("a"), ElementsAre(12, 12));
  EXPECT_THAT(found.at("b"), ElementsAre(5, 5));
}

TEST(Differentiate, GivesZerosWhereNothingReaches) {
  const auto found = gradients([](GraphBuilder&, Value a, Value b) { return sum(a + stop_gradient(b) + floor(b)); });
  EXPECT_THAT(found.at("a"), ElementsAre(1, 1));
  EXPECT_THAT(found.at("b"), ElementsAre(0, 0));
}

/// What reaches the value before an assignment and the one after it is the variable's; the assigned value gets nothing.
TEST(Differentiate, GivesAVariableWhatReachesItsAssignments) {
  const auto found = gradients([](GraphBuilder& g, Value a, Value b) {
    const Value after = g.assign(a, b * 10);
    return sum(a * 2 + after * 3);
  });
  EXPECT_THAT(found.at("a"), ElementsAre(5, 5));
  EXPECT_THAT(found.at("b"), ElementsAre(0, 0));
}

TEST(Differentiate, SendsTheWholeGradientToTheSurrogate) {
  const auto found = gradients([](GraphBuilder&, Value a, Value b) { return sum(straight_through(a * 100, b * 4) * b); });
  EXPECT_THAT(found.at("a"), ElementsAre(0, 0));
  EXPECT_THAT(found.at("b"), ElementsAre(4 * 5 + 200, 4 * 7 + 300));
}

TEST(Differentiate, RefusesALossOfMoreThanOneNumber) {
  EXPECT_THROW(gradients([](GraphBuilder&, Value a, Value) { return a; }), Error);
}

}  // namespace
}  // namespace qfw::testing
