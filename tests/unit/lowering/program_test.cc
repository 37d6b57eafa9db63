#include "qfw/lowering/program.h"

#include <gtest/gtest.h>

#include "graphs.h"
#include "qfw/lowering/dump.h"
#include "qfw/lowering/steps.h"

namespace qfw::lowering {
namespace {

std::string groups_of(const Graph& graph) { return groups_text(graph, list_steps(graph, testing::target, true)); }

TEST(Program, SumsToCodesInOnePass) {
  EXPECT_EQ(groups_of(testing::quantized_pair()), R"()");
}

TEST(Program, MomentsAndWhatTheyAreFor) {
  EXPECT_EQ(groups_of(testing::normalised()), R"()");
}

/// bf16 values say where they are rounded; equal ones are computed once.
TEST(Program, ValuesHaveTheirDtype) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{8, 5000}, DType::bf16}), wide = g.input("wide", {{8, 5000}});
  const Value product = x * x;
  g.fetch("product", product + product);
  g.fetch("sum", cast(wide + x, DType::bf16));
  EXPECT_EQ(groups_of(finish(g.graph())), R"()");
}

/// What strides cannot merge stays an axis; a transposed operand is read through its strides.
TEST(Program, ReadsThroughViews) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{6, 4, 10}}), row = g.input("row", {{4}});
  g.fetch("turned", transpose(x, {0, 2}) + reshape(row, {4, 1}));
  EXPECT_EQ(groups_of(finish(g.graph())), R"()");
}

}  // namespace
}  // namespace qfw::lowering
