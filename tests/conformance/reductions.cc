#include "conformance/case.h"

namespace qfw::conformance {
namespace {

std::vector<Case> view_cases() {
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const std::string suffix = std::string("_") + name_of(dtype);
    const auto add = [&](const std::string& name, Shape shape, auto op) {
      cases.push_back({.name = name + suffix,
                       .operands = {{{shape, dtype}}},
                       .build =
                           [op](GraphBuilder&, const std::vector<Value>& x) {
                             return std::vector<Value>{op(x[0]), op(x[0] * 2)};
                           },
                       .backward = of_arithmetic(dtype)});
    };
    add("reshape", {2, 3, 5, 4}, [](Value x) { return reshape(x, {6, 20}); });
    add("flatten_and_add", {2, 3, 3, 5}, [](Value x) { return reshape(x + 1, {2, 45}) - 1; });
    add("transpose_matrix", {17, 33}, [](Value x) { return transpose(x, {0, 1}); });
    add("transpose_outer_axes", {3, 4, 5}, [](Value x) { return transpose(x, {0, 2}); });
    add("transpose_inner_axes", {2, 3, 7, 6}, [](Value x) { return transpose(x, {1, 2}); });
    add("transpose_last_axes", {2, 3, 3, 64}, [](Value x) { return transpose(x, {2, 3}); });
    add("broadcast_scalar", {}, [](Value x) { return broadcast_to(x, {5, 3}) + broadcast_to(x * 3, {1, 3}); });
    add("broadcast_channel", {17}, [](Value x) { return broadcast_to(x, {2, 3, 3, 17}); });
    add("broadcast_rows", {2, 1, 1, 9}, [](Value x) { return broadcast_to(x, {2, 4, 3, 9}); });
    add("broadcast_columns", {6, 1}, [](Value x) { return broadcast_to(x, {6, 11}); });
  }
  for (Case& one : cases) {
    if (one.name.starts_with("broadcast_scalar")) {
      one.least_levels = 1;
      one.sparse = true;
    }
  }
  return cases;
}
QFW_CONFORMANCE(View, view_cases());

std::vector<Case> reduction_cases() {
  const std::vector<Shape> shapes = {{3}, {1000}, {6, 17}, {2, 5, 7, 1}, {2, 5, 7, 3}, {4, 8, 8, 64}, {3, 33, 31, 17}};
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Shape& shape : shapes) {
      const TensorType type{shape, dtype};
      const auto add = [&](const std::string& name, Fill fill, auto op) {
        cases.push_back({.name = name + "_" + word(type),
                         .operands = {{type, fill}},
                         .build = [op](GraphBuilder&, const std::vector<Value>& x) { return std::vector<Value>{op(x[0])}; },
                         .forward = {1e-6, 1e-5},
                         .backward = of_arithmetic(dtype),
                         .least_levels = 1,
                         .sparse = true});
      };
      add("sum", Fill::normal, [](Value x) { return sum(x); });
      add("mean_of_squares", Fill::normal, [](Value x) { return mean(x * x); });
      add("maximum", Fill::normal, [](Value x) { return reduce_max(x); });
      add("smallest_of_ties", Fill::ties, [](Value x) { return reduce_min(x * 2); });
      if (shape.rank() < 2) continue;
      add("sum_of_channel", Fill::normal, [](Value x) { return sum(x, Keep::channel); });
      add("mean_of_channel", Fill::normal, [](Value x) { return mean(abs(x), Keep::channel); });
      add("maximum_of_channel", Fill::normal, [](Value x) { return reduce_max(abs(x), Keep::channel); });
      add("minimum_of_channel", Fill::ties, [](Value x) { return reduce_min(x, Keep::channel); });
      if (shape.rank() < 4) continue;
      add("mean_over_space", Fill::normal, [](Value x) { return mean_over_space(x); });
      add("sum_to_rows", Fill::normal, [shape](Value x) { return sum_to(x, {shape[0], 1, 1, 1}); });
      add("sum_to_pixels", Fill::normal, [shape](Value x) { return sum_to(x, {shape[1], shape[2], 1}); });
    }
    const TensorType matrix{{9, 33}, dtype};
    cases.push_back({.name = "sum_to_column_" + word(matrix),
                     .operands = {{matrix}},
                     .build =
                         [](GraphBuilder&, const std::vector<Value>& x) {
                           return std::vector{sum_to(x[0], {9, 1}), sum_to(x[0], {1, 33})};
                         },
                     .forward = {1e-6, 1e-5},
                     .backward = of_arithmetic(dtype)});
  }
  return cases;
}
QFW_CONFORMANCE(Reduction, reduction_cases());

}  // namespace
}  // namespace qfw::conformance
