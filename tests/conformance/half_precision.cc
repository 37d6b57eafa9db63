#include "conformance/case.h"

/// f16, which a backend may decline. What it shares with bf16 is tried there.
namespace qfw::conformance {
namespace {

using Operands = std::vector<Value>;

constexpr Tolerance once{0x1p-10, 0x1p-14};  // two neighbours, or two subnormal ones

std::vector<Case> half_precision_cases() {
  std::vector<Case> cases;
  const auto add = [&](Case one) {
    one.optional = true;
    cases.push_back(std::move(one));
  };
  const TensorType images{{2, 3, 5, 17}, DType::f16}, channel{{17}, DType::f16}, wide{{2, 3, 5, 17}, DType::f32};

  const std::pair<const char*, Value (*)(Value)> functions[] = {
      {"negate", [](Value x) { return -x; }}, {"relu", relu}, {"floor", floor}, {"round_even", round_even}};
  for (const auto& [name, op] : functions) {
    const auto build = [op = op](GraphBuilder&, const Operands& x) { return std::vector{op(x[0])}; };
    add({.name = name, .operands = {{images}}, .build = build, .gradients = false});
    add({.name = std::string(name) + "_of_special_values",
         .operands = {{{{257}, DType::f16}, Fill::special}},
         .build = build,
         .gradients = false});
  }
  add({.name = "exp_and_tanh",
       .operands = {{images}},
       .build =
           [](GraphBuilder&, const Operands& x) {
             return std::vector{exp(x[0]), tanh(x[0])};
           },
       .forward = once,
       .backward = {0x1p-9, 0x1p-12}});
  const auto arithmetic = [](GraphBuilder&, const Operands& x) {
    return std::vector{x[0] + x[1], x[0] * x[1] - 0.1, x[0] / (abs(x[1]) + 0.5), select(x[0] < x[1], x[0], x[1] * 3)};
  };
  add({.name = "arithmetic", .operands = {{images}, {channel}}, .build = arithmetic, .backward = {0x1p-9, 0x1p-11}});
  add({.name = "arithmetic_with_f32", .operands = {{images}, {wide}}, .build = arithmetic, .backward = {0x1p-9, 0x1p-11}});
  add({.name = "overflow_and_underflow",
       .operands = {{{{1031}, DType::f32}}},
       .build =
           [](GraphBuilder&, const Operands& x) {
             const Value half = cast(x[0] * 30000, DType::f16), small = cast(x[0] * 0x1p-23, DType::f16);
             return std::vector{half, half * half, small, small * 0.5, small * half};
           },
       .gradients = false});

  const std::tuple<DType, DType, Fill> casts[] = {
      {DType::f32, DType::f16, Fill::normal},        {DType::f16, DType::f32, Fill::normal},
      {DType::bf16, DType::f16, Fill::normal},       {DType::f16, DType::bf16, Fill::normal},
      {DType::f32, DType::f16, Fill::special},       {DType::u8, DType::f16, Fill::codes},
      {DType::s8, DType::f16, Fill::codes},          {DType::s32, DType::f16, Fill::codes},
      {DType::f16, DType::u8, Fill::unsigned_codes}, {DType::f16, DType::s8, Fill::codes}};
  for (const auto& [from, to, fill] : casts) {
    add({.name =
             std::string("cast_") + name_of(from) + "_to_" + name_of(to) + (fill == Fill::special ? "_of_special_values" : ""),
         .operands = {{{{2, 3, 5, 17}, from}, fill}},
         .build = [to = to](GraphBuilder&, const Operands& x) { return std::vector{cast(x[0], to)}; },
         .gradients = false});
  }

  const auto of_products = [](std::int64_t products) {
    return Tolerance{0x1p-10, of_matmul(DType::f32, products).of_scale + 0x1p-13};
  };
  const std::tuple<const char*, Shape, Shape, Conv2d> convolutions[] = {
      {"convolution", {2, 8, 8, 17}, {3, 3, 17, 8}, {.stride = {2, 2}, .padding = {{0, 0}, {1, 1}}}},
      {"pixels", {2, 5, 7, 16}, {1, 1, 16, 24}, {}},
      {"grouped", {2, 5, 5, 8}, {3, 3, 4, 6}, {.padding = {{1, 1}, {1, 1}}, .groups = 2}}};
  for (const auto& [name, src, weights, conv] : convolutions) {
    add({.name = name,
         .operands = {{{src, DType::f16}}, {{weights, DType::f16}, Fill::small}},
         .build = [conv = conv](GraphBuilder&, const Operands& x) { return std::vector{conv2d(x[0], x[1], conv)}; },
         .forward = of_products(weights.count() / weights.channels()),
         .backward = of_products(src.count() / src.channels() * 9)});
  }
  add({.name = "dense",
       .operands = {{{{6, 33}, DType::f16}}, {{{33, 10}, DType::f16}, Fill::small}},
       .build = [](GraphBuilder&, const Operands& x) { return std::vector{dense(x[0], x[1])}; },
       .forward = of_products(33),
       .backward = of_products(10)});
  add({.name = "pool",
       .operands = {{{{2, 7, 9, 17}, DType::f16}}},
       .build =
           [](GraphBuilder&, const Operands& x) {
             return std::vector{max_pool(x[0], {.window = {3, 3}, .stride = {2, 2}, .padding = {{1, 1}, {1, 1}}})};
           },
       .backward = {0x1p-9, 0x1p-11}});
  add({.name = "sums",
       .operands = {{images}},
       .build =
           [](GraphBuilder&, const Operands& x) {
             return std::vector{sum(x[0]), sum(x[0], Keep::channel), mean(x[0] * x[0], Keep::channel), reduce_max(x[0])};
           },
       .forward = {1e-6, 1e-5},
       .backward = {0x1p-9, 0x1p-11},
       .least_levels = 1,
       .sparse = true});
  add({.name = "views",
       .operands = {{images}},
       .build =
           [](GraphBuilder&, const Operands& x) {
             return std::vector{transpose(x[0], {1, 2}) * 2, reshape(x[0] + 1, {6, 85}), transpose(x[0], {0, 3})};
           },
       .backward = {0x1p-9, 0x1p-11}});
  return cases;
}
QFW_CONFORMANCE(HalfPrecision, half_precision_cases());

}  // namespace
}  // namespace qfw::conformance
