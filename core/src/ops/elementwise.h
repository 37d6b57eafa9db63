#pragma once

#include <type_traits>

#include "ops/access.h"
#include "ops/support.h"
#include "qfw/builder.h"

/// Makes the rows of elementwise.cc. Formulas, gradients and bounds come as lambdas without captures, so that their types are
/// enough: each rule makes its own again.
///
/// A formula is written once, over float for the kernel (each op rounds once, in float) and over double for plain numbers,
/// which fold without a node.
namespace qfw::ops {

struct Elementwise {
  OpDefinition rules;
  double (*number)(double a, double b) = nullptr;  ///< the formula of plain numbers; a unary one ignores b
};

/// What stands in the place of a gradient where by contract none flows.
struct NoGradient {};

struct Traits {
  double cost = 1;
  bool exact = false;
};

template <Op op, std::size_t operands>
Types infer_floats(Inputs inputs, const Attributes&) {
  expect_operands(op, inputs, operands);
  const DType dtype = float_dtype(op, inputs);
  return {{broadcast_shape(op, inputs), dtype}};
}

template <class Formula>
void map_unary(const Evaluation& e) {
  const Floats x(e.inputs[0]);
  fill(e.outputs[0], [&](std::int64_t i) { return Formula{}(x[i]); });
}

template <class Formula>
void map_binary(const Evaluation& e) {
  const Floats a(e.inputs[0]), b(e.inputs[1]);
  const Shape& shape = e.outputs[0].type.shape;
  const Broadcast at_a(e.inputs[0].type.shape, shape), at_b(e.inputs[1].type.shape, shape);
  fill(e.outputs[0], [&](std::int64_t i) { return Formula{}(a[at_a(i)], b[at_b(i)]); });
}

/// y = formula(x). gradient(g, x, y), bounds(x).
template <Op op, class Formula, class Gradient, class Bound>
constexpr Elementwise unary(const char* name, const char* doc, Formula, Gradient, Bound, Traits traits = {}) {
  Elementwise row{{.op = op,
                   .name = name,
                   .op_class = OpClass::elementwise,
                   .doc = doc,
                   .infer = infer_floats<op, 1>,
                   .no_gradient = std::is_same_v<Gradient, NoGradient>,
                   .bounds = [](const Node&, std::span<const Bounds> x, int) { return Bound{}(x[0]); },
                   .cost = traits.cost,
                   .exact = traits.exact,
                   .evaluate = map_unary<Formula>},
                  [](double x, double) -> double { return Formula{}(x); }};
  if constexpr (!std::is_same_v<Gradient, NoGradient>) {
    row.rules.gradient = [](const Differentiation& d) -> Gradients {
      return {Gradient{}(*d.gradients[0], d.inputs[0], d.outputs[0])};
    };
  }
  return row;
}

/// y = formula(a, b), broadcast. gradient(g, a, b, y) gives both, bounds(a, b).
template <Op op, class Formula, class Gradient, class Bound>
constexpr Elementwise binary(const char* name, const char* doc, Formula, Gradient, Bound, Traits traits = {}) {
  return {{.op = op,
           .name = name,
           .op_class = OpClass::elementwise,
           .doc = doc,
           .infer = infer_floats<op, 2>,
           .gradient = [](const Differentiation& d) -> Gradients {
             return Gradient{}(*d.gradients[0], d.inputs[0], d.inputs[1], d.outputs[0]);
           },
           .bounds = [](const Node&, std::span<const Bounds> x, int) { return Bound{}(x[0], x[1]); },
           .cost = traits.cost,
           .exact = traits.exact,
           .evaluate = map_binary<Formula>},
          [](double a, double b) -> double { return Formula{}(a, b); }};
}

/// Gradients of a choice, from masks of where either operand strictly wins.
inline Gradients gradients_of_chosen(Value g, Value first_wins, Value second_wins, Ties ties) {
  switch (ties) {
    case Ties::pass:
      return {select(second_wins, 0, g), select(second_wins, g, 0)};
    case Ties::block:
      return {select(first_wins, g, 0), select(second_wins, g, 0)};
    case Ties::half:
      break;
  }
  const Value half = g * 0.5;
  return {select(first_wins, g, select(second_wins, 0, half)), select(second_wins, g, select(first_wins, 0, half))};
}

/// One of two operands, a where wins(a, b): the gradient goes where Ties says.
template <Op op, class Formula, class Wins, class Bound>
constexpr Elementwise choice(const char* name, const char* doc, Formula formula, Wins, Bound bounds, Traits traits) {
  constexpr auto replaced = [](Value, Value, Value, Value) -> Gradients { return {}; };
  Elementwise row = binary<op>(name, doc, formula, replaced, bounds, traits);
  row.rules.infer = [](Inputs inputs, const Attributes& attributes) -> Types {
    Types types = infer_floats<op, 2>(inputs, attributes);
    attribute<Ties>(op, attributes);
    return types;
  };
  row.rules.gradient = [](const Differentiation& d) -> Gradients {
    const Value a = d.inputs[0], b = d.inputs[1];
    const Value second_wins = Wins{}(b, a), first_wins = Wins{}(a, b);
    return gradients_of_chosen(*d.gradients[0], first_wins, second_wins, d.node.as<Ties>());
  };
  return row;
}

/// 1 where the formula holds, else 0; f32 whatever the operands are. No gradient.
template <Op op, class Formula>
constexpr Elementwise mask(const char* name, const char* doc, Formula) {
  constexpr std::size_t operands = std::is_invocable_v<Formula, float> ? 1 : 2;
  OpDefinition rules{.op = op,
                     .name = name,
                     .op_class = OpClass::elementwise,
                     .doc = doc,
                     .infer = [](Inputs inputs, const Attributes&) -> Types {
                       expect_operands(op, inputs, operands);
                       expect_floats(op, inputs);
                       return {{broadcast_shape(op, inputs), DType::f32}};
                     },
                     .no_gradient = true,
                     .bounds =
                         [](const Node&, std::span<const Bounds>, int) {
                           return Bounds{0, 1};
                         },
                     .exact = true};
  if constexpr (operands == 1) {
    constexpr auto number = [](auto x) { return decltype(x)(Formula{}(x) ? 1 : 0); };
    rules.evaluate = map_unary<std::remove_const_t<decltype(number)>>;
    return {rules, [](double x, double) -> double { return Formula{}(x) ? 1 : 0; }};
  } else {
    constexpr auto number = [](auto a, auto b) { return decltype(a)(Formula{}(a, b) ? 1 : 0); };
    rules.evaluate = map_binary<std::remove_const_t<decltype(number)>>;
    return {rules, [](double a, double b) -> double { return Formula{}(a, b) ? 1 : 0; }};
  }
}

}  // namespace qfw::ops
