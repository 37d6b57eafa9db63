#include "conformance/case.h"

namespace qfw::conformance {
namespace {

struct Unary {
  const char* name;
  Value (*op)(Value);
  bool exact = true, positive = false, flat = false;  ///< flat: no gradient
  int levels = 3;
};

const std::vector<Unary> unary_ops = {
    {"negate", [](Value x) { return -x; }},
    {"relu", relu},
    {"abs", abs},
    {"exp", exp, false},
    {"log", log, false, true},
    {"sqrt", sqrt, true, true},
    {"tanh", tanh, false},
    {"floor", floor, true, false, true},
    {"round_even", round_even, true, false, true},
    {"is_finite", is_finite, true, false, true, 2},
};

Tolerance of_function(DType dtype, bool exact) {
  if (exact) return {};
  return dtype == DType::bf16 ? Tolerance{0x1p-7, 0} : Tolerance{6e-7, 1e-7};
}

std::vector<Case> unary_cases() {
  std::vector<Case> cases;
  for (const Unary& unary : unary_ops) {
    const auto build = [op = unary.op](GraphBuilder&, const std::vector<Value>& x) { return std::vector{op(x[0])}; };
    for (const DType dtype : {DType::f32, DType::bf16}) {
      for (const Shape& shape : {Shape{67}, Shape{2, 5, 7, 17}, Shape{3, 1}}) {
        if (unary.levels < 3) break;  // of ordinary numbers all are finite
        const TensorType type{shape, dtype};
        cases.push_back({.name = unary.name + ("_" + word(type)),
                         .operands = {{type, unary.positive ? Fill::positive : Fill::normal}},
                         .build = build,
                         .forward = of_function(dtype, unary.exact),
                         .backward = of_arithmetic(dtype),
                         .gradients = !unary.flat});
      }
      const TensorType type{{257}, dtype};
      cases.push_back({.name = std::string(unary.name) + "_of_special_values_" + name_of(dtype),
                       .operands = {{type, Fill::special}},
                       .build = build,
                       .forward = of_function(dtype, unary.exact),
                       .gradients = false,
                       .least_levels = unary.levels});
    }
  }
  return cases;
}
QFW_CONFORMANCE(UnaryOps, unary_cases());

struct Binary {
  const char* name;
  Value (*op)(Value, Value);
  bool flat = false;
};

const std::vector<Binary> binary_ops = {
    {"add", [](Value a, Value b) { return a + b; }},
    {"subtract", [](Value a, Value b) { return a - b; }},
    {"multiply", [](Value a, Value b) { return a * b; }},
    {"divide", [](Value a, Value b) { return a / b; }},
    {"minimum", [](Value a, Value b) { return minimum(a, b); }},
    {"minimum_pass", [](Value a, Value b) { return minimum(a, b, Ties::pass); }},
    {"maximum", [](Value a, Value b) { return maximum(a, b); }},
    {"maximum_block", [](Value a, Value b) { return maximum(a, b, Ties::block); }},
    {"less", [](Value a, Value b) { return a < b; }, true},
    {"less_equal", [](Value a, Value b) { return a <= b; }, true},
    {"equal", [](Value a, Value b) { return equal(a, b); }, true},
};

std::vector<Case> binary_cases() {
  const std::vector<std::pair<Shape, Shape>> shapes = {{{129}, {129}},
                                                       {{2, 3, 5, 17}, {17}},
                                                       {{2, 3, 5, 8}, {2, 1, 1, 8}},
                                                       {{}, {4, 3, 3, 1}},
                                                       {{2, 4, 3, 6}, {2, 4, 3, 1}},
                                                       {{1, 9}, {7, 1}},
                                                       {{3, 1, 4, 64}, {5, 1, 64}}};
  const std::vector<std::pair<DType, DType>> dtypes = {
      {DType::f32, DType::f32}, {DType::bf16, DType::bf16}, {DType::bf16, DType::f32}};
  std::vector<Case> cases;
  for (const Binary& binary : binary_ops) {
    const auto build = [op = binary.op](GraphBuilder&, const std::vector<Value>& x) { return std::vector{op(x[0], x[1])}; };
    const bool compares = std::string(binary.name).starts_with("m") && std::string(binary.name) != "multiply";
    const Fill fill = binary.flat || compares ? Fill::ties : Fill::normal;
    for (const auto& [a, b] : shapes) {
      for (const auto& [dtype_a, dtype_b] : dtypes) {
        if (dtype_a != dtype_b && a.rank() < 2) continue;
        const Operand first{{a, dtype_a}, fill},
            second{{b, dtype_b}, std::string(binary.name) == "divide" ? Fill::positive : fill};
        cases.push_back({.name = std::string(binary.name) + "_" + word(first.type) + "_" + word(second.type),
                         .operands = {first, second},
                         .build = build,
                         .backward = of_arithmetic(dtype_a),
                         .gradients = !binary.flat,
                         .least_levels = compares && a.rank() == 0 ? 0
                                         : binary.flat             ? 1
                                                                   : 3,
                         .sparse = compares});
      }
    }
    for (const Fill special : {Fill::special, Fill::subnormal}) {
      cases.push_back(
          {.name = std::string(binary.name) + (special == Fill::special ? "_of_special_values" : "_of_subnormal_values"),
           .operands = {{{{1031}, DType::f32}, special}, {{{1031}, DType::f32}, special}},
           .build = build,
           .gradients = false,
           .least_levels = binary.flat ? 0 : 3});
    }
  }
  return cases;
}
QFW_CONFORMANCE(BinaryOps, binary_cases());

std::vector<Case> mixed_cases() {
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const std::string suffix = std::string("_") + name_of(dtype);
    const TensorType image{{2, 3, 5, 17}, dtype}, channel{{17}, dtype};
    cases.push_back({.name = "select" + suffix,
                     .operands = {{{{2, 3, 5, 1}, DType::f32}, Fill::mask, true}, {image}, {channel}},
                     .build = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{select(x[0], x[1], x[2])}; },
                     .backward = of_arithmetic(dtype)});
    cases.push_back(
        {.name = "select_number" + suffix,
         .operands = {{image, Fill::ties}, {image}},
         .build = [](GraphBuilder&, const std::vector<Value>& x) { return std::vector{select(x[0] < 0, 0.25, x[1])}; },
         .sparse = true});  // nothing reaches the mask
    for (const Ties ties : {Ties::half, Ties::pass, Ties::block}) {
      cases.push_back({.name = "clip_ties_" + std::to_string(static_cast<int>(ties)) + suffix,
                       .operands = {{image, Fill::ties}, {{{17}, DType::f32}, Fill::positive}},
                       .build =
                           [ties](GraphBuilder&, const std::vector<Value>& x) {
                             return std::vector{clip(x[0], -1, 0.5, ties), clip(x[0], -x[1], x[1], ties)};
                           },
                       .backward = of_arithmetic(dtype)});
    }
    cases.push_back(
        {.name = "quantize_and_back" + suffix,
         .operands = {{image}, {{{17}, DType::f32}, Fill::positive}},
         .build =
             [](GraphBuilder&, const std::vector<Value>& x) {
               const Value scale = 127 / x[1];
               return std::vector{clip(floor_ste(x[0] * scale + 0.5), -127, 127) / scale, round_even_ste(x[0] * 4) * 0.25};
             },
         .backward = of_arithmetic(dtype)});
  }
  const TensorType rows{{4, 16384}, DType::f32};  // more than one thread computes
  cases.push_back({.name = "results_below_normal_numbers",
                   .operands = {{rows}, {rows}},
                   .build =
                       [](GraphBuilder&, const std::vector<Value>& x) {
                         const Value a = x[0] * 1e-19, b = x[1] * 1e-19;
                         const Value mixed = a * b;
                         return std::vector{mixed, (x[0] * 1e-37 - x[1] * 1e-37) * 0.25, exp(x[0] * 2 - 87),
                                            cast(mixed * 4, DType::bf16) * 0.5};
                       },
                   .forward = of_arithmetic(DType::f32),
                   .gradients = false});
  return cases;
}
QFW_CONFORMANCE(Mixed, mixed_cases());

std::vector<Case> cast_cases() {
  struct Pair {
    DType from, to;
    Fill fill = Fill::codes;
  };
  const std::vector<Pair> pairs = {{DType::f32, DType::bf16, Fill::normal},
                                   {DType::bf16, DType::f32, Fill::normal},
                                   {DType::f32, DType::u8, Fill::unsigned_codes},
                                   {DType::f32, DType::s8},
                                   {DType::f32, DType::s32},
                                   {DType::bf16, DType::u8, Fill::unsigned_codes},
                                   {DType::bf16, DType::s8},
                                   {DType::u8, DType::f32},
                                   {DType::s8, DType::f32},
                                   {DType::s32, DType::f32},
                                   {DType::u8, DType::bf16},
                                   {DType::s8, DType::bf16}};
  std::vector<Case> cases;
  for (const auto& [from, to, fill] : pairs) {
    for (const Shape& shape : {Shape{2, 3, 5, 17}, Shape{1}, Shape{64}}) {
      cases.push_back({.name = "cast_" + word({shape, from}) + "_to_" + name_of(to),
                       .operands = {{{shape, from}, fill}},
                       .build = [to = to](GraphBuilder&, const std::vector<Value>& x) { return std::vector{cast(x[0], to)}; },
                       .gradients = is_float(from) && is_float(to)});
    }
  }
  return cases;
}
QFW_CONFORMANCE(Cast, cast_cases());

}  // namespace
}  // namespace qfw::conformance
