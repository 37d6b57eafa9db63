#include <gtest/gtest.h>

#include <set>
#include <string>

#include "qfw/op_definition.h"
#include "unit/ops/evaluate.h"

using namespace qfw;

namespace {

TEST(OpTable, DefinesEveryOpCompletely) {
  std::set<std::string> names;
  for (int number = 0; number < op_count; ++number) {
    const auto op = static_cast<Op>(number);
    const OpDefinition& rules = definition(op);
    EXPECT_EQ(rules.op, op);
    EXPECT_TRUE(names.insert(rules.name).second) << rules.name << " stands twice";
    EXPECT_NE(std::string(rules.doc), "") << rules.name;
    const bool is_source = rules.op_class == OpClass::source || op == Op::assign,
               is_composite = rules.op_class == OpClass::composite;
    EXPECT_EQ(rules.infer == nullptr, is_source) << rules.name;
    EXPECT_EQ(rules.evaluate == nullptr, is_source || is_composite || op == Op::all_reduce) << rules.name;
    EXPECT_EQ(rules.expand != nullptr, is_composite) << rules.name;
  }
}

TEST(OpTable, RefusesTheWrongNumberOfOperandsAndAttributes) {
  for (int number = 0; number < op_count; ++number) {
    const auto op = static_cast<Op>(number);
    if (definition(op).infer == nullptr) continue;
    const test::Build build = [=](GraphBuilder& g, const std::vector<Value>& x) { return std::vector{g.add(op, x)}; };
    EXPECT_THAT(test::error_of(build, std::vector<TensorType>(6, {{2, 2}, DType::f32})),
                testing::HasSubstr("operands, was given 6"))
        << name_of(op);
  }
  const test::Build bare = [](GraphBuilder& g, const std::vector<Value>& x) { return std::vector{g.add(Op::reshape, {x[0]})}; };
  EXPECT_THAT(test::error_of(bare, {{{2}, DType::f32}}), testing::HasSubstr("attributes of another op"));
}

}  // namespace
