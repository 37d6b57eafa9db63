#include <cmath>

#include "conformance/case.h"
#include "qfw/layers.h"

namespace qfw::conformance {
namespace {

std::vector<Case> cases() {
  const std::vector<Shape> shapes = {{7, 5}, {2, 5, 7, 1}, {2, 5, 7, 3}, {4, 8, 8, 64}, {3, 9, 11, 17}};
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Shape& shape : shapes) {
      const TensorType type{shape, dtype}, channel{{shape.channels()}, DType::f32};
      const Tolerance tolerance = dtype == DType::bf16 ? Tolerance{0x1p-7, 2e-3} : Tolerance{2e-6, 5e-6};
      const auto add = [&](const std::string& name, std::vector<Operand> operands, auto build) {
        cases.push_back({.name = name + "_" + word(type),
                         .operands = std::move(operands),
                         .build = build,
                         .forward = tolerance,
                         .backward = {tolerance.relative * 2, tolerance.of_scale * 4},
                         .least_levels = 1});
      };
      add("moments", {{type}}, [](GraphBuilder&, const std::vector<Value>& x) {
        const Moments m = moments(x[0] * 2 + 0.5);
        return std::vector{m.mean, m.variance};
      });
      add("normalize_given", {{type}, {channel}, {channel, Fill::positive}, {channel}, {channel}},
          [](GraphBuilder&, const std::vector<Value>& x) {
            return std::vector{normalize(x[0], {x[1], x[2]}, x[3], x[4], 1e-3f)};
          });
      add("normalize_batch", {{type}, {channel}, {channel}}, [](GraphBuilder&, const std::vector<Value>& x) {
        return std::vector{normalize(x[0], moments(x[0]), x[1], x[2], 1e-5f)};
      });
      add("batch_norm_add_relu", {{type}, {type}}, [](GraphBuilder& g, const std::vector<Value>& x) {
        return std::vector{relu(layers::batch_norm(g, "bn", x[0], {}) + x[1])};
      });
    }
  }
  // The variance of equal numbers is exactly 0, never below.
  cases.push_back({.name = "moments_of_equal_numbers",
                   .operands = {{{{4, 5, 5, 8}, DType::f32}, Fill::mask}},
                   .build =
                       [](GraphBuilder&, const std::vector<Value>& x) {
                         const Moments m = moments(x[0] * 0 + 0.1);
                         return std::vector{sqrt(m.variance) + m.mean};
                       },
                   .forward = {1e-6, 0},
                   .gradients = false,
                   .least_levels = 1});
  return cases;
}
QFW_CONFORMANCE(Normalization, cases());

std::vector<Case> loss_cases() {
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Shape& shape : {Shape{1, 2}, Shape{5, 10}, Shape{16, 1000}, Shape{3, 17}}) {
      const TensorType type{shape, dtype};
      // The row's sum enters each gradient before a difference: its error grows like the root of the row's length.
      const double sums = 5e-6 + 4 * 0x1p-24 * std::sqrt(static_cast<double>(shape.channels()));
      const Tolerance backward = dtype == DType::bf16 ? Tolerance{0x1p-7, 1e-3} : Tolerance{sums, sums};
      cases.push_back(
          {.name = "softmax_" + word(type),
           .operands = {{type}},
           .build = [](GraphBuilder& g, const std::vector<Value>& x) { return std::vector{g.add(Op::softmax, {x[0] * 3})}; },
           .forward = {5e-6, 1e-6},
           .backward = backward});
      cases.push_back({.name = "cross_entropy_" + word(type),
                       .operands = {{type}, {{shape, DType::f32}, Fill::targets, true}},
                       .build =
                           [](GraphBuilder&, const std::vector<Value>& x) {
                             const Value loss = softmax_cross_entropy(x[0] * 3, x[1]);
                             return std::vector{loss, mean(loss)};
                           },
                       .forward = {5e-6, 1e-6},
                       .backward = backward});
    }
  }
  return cases;
}
QFW_CONFORMANCE(Loss, loss_cases());

}  // namespace
}  // namespace qfw::conformance
