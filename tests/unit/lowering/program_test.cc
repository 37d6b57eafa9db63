#include "qfw/lowering/program.h"

#include <gtest/gtest.h>

#include "graphs.h"
#include "qfw/lowering/dump.h"
#include "qfw/lowering/steps.h"

namespace qfw::lowering {
namespace {

std::string groups_of(const Graph& graph) { return groups_text(graph, list_steps(graph, testing::target, true)); }

TEST(Program, SumsToCodesInOnePass) {
  EXPECT_EQ(groups_of(testing::quantized_pair()), testing::lines(R"(
group of step 1: (%6 cast, %7 multiply, %8 add, %9 relu, %10 constant, %11 multiply, %12 floor, %13 constant, %14 minimum, %15 cast)
  input 0: %5 s32[2, 32, 32, 16]
  input 1: %3 f32[16]
  input 2: %4 f32[16]
  output 0: %15 u8[2, 32, 32, 16]
  space [2048, 16]
  v0 = input 0 dense : s32
  v1 = cast v0 : f32
  v2 = input 1 row : f32
  v3 = multiply v1 v2 : f32
  v4 = input 2 row : f32
  v5 = add v3 v4 : f32
  v6 = relu v5 : f32
  v7 = 4 : f32
  v8 = multiply v6 v7 : f32
  v9 = floor v8 : f32
  v10 = 15 : f32
  v11 = minimum v9 v10 : f32
  v12 = cast v11 : u8
  store v12 -> output 0 : u8
)"));
}

TEST(Program, MomentsAndWhatTheyAreFor) {
  EXPECT_EQ(groups_of(testing::normalised()), testing::lines(R"(
group of step 0: (%2 moments)
  input 0: %0 f32[4, 16, 16, 32]
  output 0: %2 f32[32]
  output 1: %2.1 f32[32]
  space [1024, 32]
  v0 = input 0 dense : f32
  moments v0 of 1024 row -> output 0 variance 1
group of step 1: (%3 constant, %4 multiply, %5 constant, %6 multiply, %7 add)
  input 0: %1 f32[32]
  input 1: %2 f32[32]
  output 0: %7 f32[32]
  space [32]
  v0 = 0.9 : f32
  v1 = input 0 dense : f32
  v2 = multiply v0 v1 : f32
  v3 = 0.1 : f32
  v4 = input 1 dense : f32
  v5 = multiply v3 v4 : f32
  v6 = add v2 v5 : f32
  store v6 -> output 0 : f32
group of step 2: (%8 constant, %9 add, %10 sqrt)
  input 0: %2.1 f32[32]
  output 0: %10 f32[32]
  space [32]
  v0 = input 0 dense : f32
  v1 = 1e-05 : f32
  v2 = add v0 v1 : f32
  v3 = sqrt v2 : f32
  store v3 -> output 0 : f32
group of step 3: (%11 subtract, %12 divide, %13 relu)
  input 0: %0 f32[4, 16, 16, 32]
  input 1: %2 f32[32]
  input 2: %10 f32[32]
  output 0: %13 f32[4, 16, 16, 32]
  space [1024, 32]
  v0 = input 0 dense : f32
  v1 = input 1 row : f32
  v2 = subtract v0 v1 : f32
  v3 = input 2 row : f32
  v4 = divide v2 v3 : f32
  v5 = relu v4 : f32
  store v5 -> output 0 : f32
)"));
}

/// bf16 values say where they are rounded; equal ones are computed once.
TEST(Program, ValuesHaveTheirDtype) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{8, 5000}, DType::bf16}), wide = g.input("wide", {{8, 5000}});
  const Value product = x * x;
  g.fetch("product", product + product);
  g.fetch("sum", cast(wide + x, DType::bf16));
  EXPECT_EQ(groups_of(finish(g.graph())), testing::lines(R"(
group of step 0: (%2 multiply, %3 add, %4 add, %5 cast)
  input 0: %0 bf16[8, 5000]
  input 1: %1 f32[8, 5000]
  output 0: %3 bf16[8, 5000]
  output 1: %5 bf16[8, 5000]
  space [40000]
  v0 = input 0 dense : bf16
  v1 = multiply v0 v0 : bf16
  v2 = add v1 v1 : bf16
  v3 = input 1 dense : f32
  v4 = add v3 v0 : f32
  v5 = cast v4 : bf16
  store v2 -> output 0 : bf16
  store v5 -> output 1 : bf16
)"));
}

/// What strides cannot merge stays an axis; a transposed operand is read through its strides.
TEST(Program, ReadsThroughViews) {
  GraphBuilder g({.training = false});
  const Value x = g.input("x", {{6, 4, 10}}), row = g.input("row", {{4}});
  const Value column = reshape(row, {4, 1});
  g.fetch("turned", transpose(x, {0, 2}) + column);
  EXPECT_EQ(groups_of(finish(g.graph())), testing::lines(R"(
group of step 0: (%2 reshape, %3 transpose, %4 add)
  input 0: %0 f32[6, 4, 10]
  input 1: %1 f32[4]
  output 0: %4 f32[10, 4, 6]
  space [10, 4, 6]
  v0 = input 0 strided 1 10 40 : f32
  v1 = input 1 strided 0 1 0 : f32
  v2 = add v0 v1 : f32
  store v2 -> output 0 : f32
)"));
}

}  // namespace
}  // namespace qfw::lowering
