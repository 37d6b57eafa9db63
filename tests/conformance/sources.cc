#include "conformance/case.h"

namespace qfw::conformance {
namespace {

std::vector<Case> source_cases() {
  const TensorType vector{{33}, DType::f32};
  std::vector<Case> cases;
  cases.push_back(
      {.name = "random_uniform",
       .build =
           [](GraphBuilder& g, const std::vector<Value>&) {
             return std::vector{random_uniform(g, "noise", {1003}), random_uniform(g, "other", {2, 3, 3, 5}) * 2 - 1};
           },
       .gradients = false,
       .steps = 2});
  cases.push_back({.name = "step_and_constants",
                   .operands = {{vector}},
                   .build =
                       [](GraphBuilder& g, const std::vector<Value>& x) {
                         return std::vector{x[0] * g.step() + 0.1, 3 / (x[0] * x[0] + 1)};
                       },
                   .backward = of_arithmetic(DType::f32),
                   .steps = 3});
  cases.push_back({.name = "variable_itself_and_input_itself",
                   .operands = {{vector}, {vector, Fill::normal, true}},
                   .build = [](GraphBuilder&, const std::vector<Value>& x) {
                     return std::vector{x[0], x[1]};
                   }});
  cases.push_back({.name = "momentum",
                   .operands = {{vector}, {vector, Fill::normal, true}},
                   .build =
                       [](GraphBuilder& g, const std::vector<Value>& x) {
                         const Value velocity = g.assign(g.state("velocity", {33}),
                                                         0.9 * g.state("velocity", {33}) + all_reduce(x[1], Across::mean));
                         return std::vector{g.assign(x[0], x[0] - 0.1 * velocity), velocity};
                       },
                   .gradients = false,
                   .steps = 3});
  cases.push_back({.name = "variables_that_change_places",
                   .build =
                       [](GraphBuilder& g, const std::vector<Value>&) {
                         const Value a = g.state("a", {5, 3}), b = g.state("b", {5, 3});
                         g.assign(a, b);
                         g.assign(b, a);
                         return std::vector{a - b};
                       },
                   .gradients = false,
                   .steps = 3});
  cases.push_back(
      {.name = "all_reduce_of_three_replicas",
       .operands = {{vector}, {{{2, 3, 3, 5}, DType::f32}}},
       .build =
           [](GraphBuilder&, const std::vector<Value>& x) {
             return std::vector{all_reduce(x[0] * 2, Across::sum), all_reduce(sum(x[1], Keep::channel), Across::mean)};
           },
       .forward = {1e-6, 1e-6},
       .backward = {1e-6, 1e-6},
       .replicas = 3});
  return cases;
}
QFW_CONFORMANCE(Source, source_cases());

}  // namespace
}  // namespace qfw::conformance
