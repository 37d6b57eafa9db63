#include "ops/elementwise.h"

#include <array>
#include <cmath>

#include "ops/bounds.h"
#include "ops/table.h"
#include "qfw/elementary.h"

/// The simple elementwise ops, a row each: formula, gradient (g is that of the loss with respect to the result y), bounds, and
/// what differs from a cost of 1 (an addition) and results that bf16 has to round. Order: that of Op.
namespace qfw::ops {
namespace {

// clang-format off
constexpr std::array table = {
    binary<Op::add>(
        "add", "a + b, broadcast",
        [](auto a, auto b) { return a + b; },
        [](Value g, Value, Value, Value) -> Gradients { return {g, g}; },
        [](Bounds a, Bounds b) { return Bounds{a.low + b.low, a.high + b.high}; }),
    binary<Op::subtract>(
        "subtract", "a - b, broadcast",
        [](auto a, auto b) { return a - b; },
        [](Value g, Value, Value, Value) -> Gradients { return {g, -g}; },
        [](Bounds a, Bounds b) { return Bounds{a.low - b.high, a.high - b.low}; }),
    binary<Op::multiply>(
        "multiply", "a * b, broadcast",
        [](auto a, auto b) { return a * b; },
        [](Value g, Value a, Value b, Value) -> Gradients { return {g * b, g * a}; },
        [](Bounds a, Bounds b) { return product(a, b); }),
    // A true division. d y / d b = -a / b^2 = -(d y / d a) y.
    binary<Op::divide>(
        "divide", "a / b, broadcast",
        [](auto a, auto b) { return a / b; },
        [](Value g, Value, Value b, Value y) -> Gradients {
          const Value to_a = g / b;
          return {to_a, -(to_a * y)};
        },
        [](Bounds a, Bounds b) { return quotient(a, b); },
        {.cost = 3}),
    // Of equal operands Ties decides: half gives either half of the gradient, pass gives the first all, block neither any.
    choice<Op::minimum>(
        "minimum", "the smaller of a and b, broadcast; NaN if either is",
        [](auto a, auto b) { return a < b || std::isnan(a) ? a : b; },
        [](Value a, Value b) { return a < b; },
        [](Bounds a, Bounds b) { return Bounds{std::min(a.low, b.low), std::min(a.high, b.high)}; },
        {.exact = true}),
    choice<Op::maximum>(
        "maximum", "the larger of a and b, broadcast; NaN if either is",
        [](auto a, auto b) { return a > b || std::isnan(a) ? a : b; },
        [](Value a, Value b) { return a > b; },
        [](Bounds a, Bounds b) { return Bounds{std::max(a.low, b.low), std::max(a.high, b.high)}; },
        {.exact = true}),
    unary<Op::negate>(
        "negate", "-x",
        [](auto x) { return -x; },
        [](Value g, Value, Value) { return -g; },
        [](Bounds x) { return Bounds{-x.high, -x.low}; },
        {.exact = true}),
    // The gradient looks at the result, which is kept for the next layer anyway. 0 at 0.
    unary<Op::relu>(
        "relu", "max(x, 0); NaN stays NaN",
        [](auto x) { return x <= 0 ? decltype(x)(0) : x; },
        [](Value g, Value, Value y) { return select(y > 0, g, 0); },
        [](Bounds x) { return Bounds{std::max(x.low, 0.0), std::max(x.high, 0.0)}; },
        {.exact = true}),
    // Gradient 0 at 0.
    unary<Op::abs>(
        "abs", "|x|",
        [](auto x) { return std::abs(x); },
        [](Value g, Value x, Value) { return select(x > 0, g, select(x < 0, -g, 0)); },
        [](Bounds x) {
          const double low = std::max(std::max(x.low, -x.high), 0.0);
          return Bounds{low, std::max(std::abs(x.low), std::abs(x.high))};
        },
        {.exact = true}),
    unary<Op::exp>(
        "exp", "e to the power x",
        [](auto x) { return elementary::exp(x); },
        [](Value g, Value, Value y) { return g * y; },
        [](Bounds x) { return Bounds{x.low >= 0 ? 1.0 : 0.0, x.high <= 0 ? 1.0 : infinity}; },
        {.cost = 100}),
    unary<Op::log>(
        "log", "natural logarithm; -infinity at 0, NaN below",
        [](auto x) { return elementary::log(x); },
        [](Value g, Value x, Value) { return g / x; },
        [](Bounds x) { return Bounds{x.low >= 1 ? 0.0 : -infinity, x.high <= 1 ? 0.0 : infinity}; },
        {.cost = 100}),
    // Correctly rounded.
    unary<Op::sqrt>(
        "sqrt", "square root; NaN below 0",
        [](auto x) { return std::sqrt(x); },
        [](Value g, Value, Value y) { return g * 0.5 / y; },
        [](Bounds x) { return Bounds{std::sqrt(std::max(x.low, 0.0)), std::sqrt(std::max(x.high, 0.0))}; },
        {.cost = 3}),
    unary<Op::tanh>(
        "tanh", "hyperbolic tangent",
        [](auto x) { return elementary::tanh(x); },
        [](Value g, Value, Value y) { return g * (1 - y * y); },
        [](Bounds x) { return Bounds{x.low >= 0 ? 0.0 : -1.0, x.high <= 0 ? 0.0 : 1.0}; },
        {.cost = 100}),
    // floor_ste and round_even_ste pass a gradient.
    unary<Op::floor>(
        "floor", "largest whole number not above x",
        [](auto x) { return std::floor(x); },
        NoGradient{},
        [](Bounds x) { return Bounds{std::floor(x.low), std::floor(x.high)}; },
        {.exact = true}),
    unary<Op::round_even>(
        "round_even", "nearest whole number, halves to even",
        [](auto x) { return std::nearbyint(x); },
        NoGradient{},
        [](Bounds x) { return Bounds{std::nearbyint(x.low), std::nearbyint(x.high)}; },
        {.exact = true}),
    mask<Op::is_finite>("is_finite", "1 where x is neither infinite nor NaN, else 0", [](auto x) { return std::isfinite(x); }),
    mask<Op::less>("less", "1 where a < b, else 0; 0 if either is NaN", [](auto a, auto b) { return a < b; }),
    mask<Op::less_equal>("less_equal", "1 where a <= b, else 0; 0 if either is NaN", [](auto a, auto b) { return a <= b; }),
    mask<Op::equal>("equal", "1 where a == b, else 0; 0 if either is NaN", [](auto a, auto b) { return a == b; }),
};
// clang-format on

constexpr std::size_t row_of(Op op) { return static_cast<std::size_t>(op) - static_cast<std::size_t>(Op::add); }

static_assert(
    [] {
      for (std::size_t i = 0; i < table.size(); ++i) {
        if (row_of(table[i].rules.op) != i) return false;
      }
      return true;
    }(),
    "rows stand in the order of Op, from add on");

Value apply(Op op, Value x) {
  return x.is_number() ? Value(table[row_of(op)].number(x.number(), 0)) : x.builder().add(op, {x});
}

Value apply(Op op, Value a, Value b, Attributes attributes = {}) {
  if (a.is_number() && b.is_number()) return table[row_of(op)].number(a.number(), b.number());
  return builder_of({a, b}).add(op, {a, b}, std::move(attributes));
}

}  // namespace

std::vector<OpDefinition> elementwise_definitions() {
  std::vector<OpDefinition> definitions;
  for (const Elementwise& row : table) definitions.push_back(row.rules);
  return definitions;
}

}  // namespace qfw::ops

namespace qfw {

Value operator+(Value a, Value b) { return ops::apply(Op::add, a, b); }
Value operator-(Value a, Value b) { return ops::apply(Op::subtract, a, b); }
Value operator*(Value a, Value b) { return ops::apply(Op::multiply, a, b); }
Value operator/(Value a, Value b) { return ops::apply(Op::divide, a, b); }
Value operator<(Value a, Value b) { return ops::apply(Op::less, a, b); }
Value operator<=(Value a, Value b) { return ops::apply(Op::less_equal, a, b); }
Value equal(Value a, Value b) { return ops::apply(Op::equal, a, b); }
Value minimum(Value a, Value b, Ties ties) { return ops::apply(Op::minimum, a, b, ties); }
Value maximum(Value a, Value b, Ties ties) { return ops::apply(Op::maximum, a, b, ties); }

Value operator-(Value x) { return ops::apply(Op::negate, x); }
Value relu(Value x) { return ops::apply(Op::relu, x); }
Value abs(Value x) { return ops::apply(Op::abs, x); }
Value exp(Value x) { return ops::apply(Op::exp, x); }
Value log(Value x) { return ops::apply(Op::log, x); }
Value sqrt(Value x) { return ops::apply(Op::sqrt, x); }
Value tanh(Value x) { return ops::apply(Op::tanh, x); }
Value floor(Value x) { return ops::apply(Op::floor, x); }
Value round_even(Value x) { return ops::apply(Op::round_even, x); }
Value is_finite(Value x) { return ops::apply(Op::is_finite, x); }

// At a tie with a limit x gets 1/2, 1 or 0: it is the first operand of both ops.
Value clip(Value x, Value low, Value high, Ties ties) { return minimum(maximum(x, low, ties), high, ties); }

}  // namespace qfw
