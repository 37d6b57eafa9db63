#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>

#include "passes/differentiate.h"
#include "qfw/error.h"
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

TEST(OpTable, HasAGradientRuleOrSaysThatNoneFlows) {
  for (int number = 0; number < op_count; ++number) {
    const OpDefinition& rules = definition(static_cast<Op>(number));
    const bool missing = rules.op == Op::max_pool_grad;  // a second derivative that nothing needs
    EXPECT_EQ(rules.gradient == nullptr, rules.no_gradient || missing) << rules.name;
  }
}

TEST(OpTable, DifferentiatingWhatHasNoRuleIsAnErrorThatNamesOpAndLayer) {
  GraphBuilder g({.training = true});
  const Value x = g.parameter("x", {1, 4, 4, 1}, Init::zeros()), dst = g.parameter("dst", {1, 2, 2, 1}, Init::zeros());
  const auto scope = g.scope("pool");
  const Value loss = sum(g.add(Op::max_pool_grad, {x, dst}, Pool{}));
  const std::array parameters{x};
  try {
    differentiate(g, loss, parameters);
    FAIL() << "no gradient was taken for none";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::graph);
    EXPECT_THAT(error.what(),
                testing::AllOf(testing::HasSubstr("max_pool_grad has no gradient rule"), testing::HasSubstr("layer pool")));
  }
}

/// Exact ops make bf16 numbers of bf16 numbers; of every other one some result lies between two.
TEST(OpTable, SaysWhatIsExactInBf16) {
  const std::size_t unary = 1, binary = 2;
  for (int number = static_cast<int>(Op::add); number <= static_cast<int>(Op::select); ++number) {
    const OpDefinition& rules = definition(static_cast<Op>(number));
    const Op op = rules.op;
    const std::size_t operands = op == Op::select ? 3 : op < Op::negate || (op >= Op::less && op <= Op::equal) ? binary : unary;
    const test::Build build = [&](GraphBuilder& g, const std::vector<Value>& x) {
      std::vector<Value> floats;
      for (std::size_t i = 0; i < operands; ++i) floats.push_back(cast(x[i], DType::f32));
      const bool ties = op == Op::minimum || op == Op::maximum;
      return std::vector{g.add(op, floats, ties ? Attributes(Ties::half) : Attributes())};
    };
    const std::vector<double> a{0.1, 1.5, -2.75, 3.3, 100}, b{0.7, 3.1, 11.5, -0.001, 7}, c{1.1, 2.2, 3.3, 4.4, 5.5};
    const auto results = test::evaluate_one(build, {test::bf16({5}, a), test::bf16({5}, b), test::bf16({5}, c)});
    const bool exact = std::ranges::all_of(results, [](double x) {
      const auto real = static_cast<float>(x);
      return std::isnan(real) || static_cast<float>(BFloat16(real)) == real;
    });
    EXPECT_EQ(exact, rules.exact) << rules.name;
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
