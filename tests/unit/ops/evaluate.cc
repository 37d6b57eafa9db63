#include "unit/ops/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "passes/differentiate.h"
#include "passes/finish.h"
#include "qfw/error.h"
#include "support/interpret.h"

namespace qfw::test {

namespace {

template <class T>
void fill(const HostTensor& to, const std::vector<double>& values) {
  const auto out = to.as<T>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if constexpr (is_float(dtype_of<T>::value)) {
      out[i] = T(static_cast<float>(values[i]));
    } else {
      out[i] = static_cast<T>(values[i]);
    }
  }
}

void fill(const HostTensor& to, const std::vector<double>& values) {
  switch (to.type.dtype) {
    case DType::f32:
      return fill<float>(to, values);
    case DType::bf16:
      return fill<BFloat16>(to, values);
    case DType::f16:
      return fill<Float16>(to, values);
    case DType::s32:
      return fill<std::int32_t>(to, values);
    case DType::s8:
      return fill<std::int8_t>(to, values);
    case DType::u8:
      return fill<std::uint8_t>(to, values);
  }
}

template <class T>
std::vector<double> read(const HostView& from) {
  std::vector<double> values;
  for (const T value : from.as<T>()) {
    values.push_back(static_cast<double>(static_cast<std::conditional_t<std::is_integral_v<T>, T, float>>(value)));
  }
  return values;
}

Tensor empty(const TensorType& type) { return {type, std::vector<std::byte>(type.bytes())}; }

std::vector<Value> declare(GraphBuilder& g, const std::vector<TensorType>& types) {
  std::vector<Value> values;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::string name = "operand" + std::to_string(i);
    const bool parameter = types[i].dtype == DType::f32 && types[i].shape.count() > 0;  // variables have elements
    values.push_back(parameter ? g.parameter(name, types[i].shape, Init::zeros()) : g.input(name, types[i]));
  }
  return values;
}

std::vector<TensorType> types_of(const std::vector<Tensor>& tensors) {
  std::vector<TensorType> types;
  for (const Tensor& tensor : tensors) types.push_back(tensor.type);
  return types;
}

/// Runs a recorded graph; `inputs` and `variables` in the graph's order.
std::vector<Tensor> run(const Graph& recorded, const std::vector<Tensor>& inputs, const std::vector<Tensor>& variables) {
  const Graph graph = expand_composites(finish(recorded), [](const Node&) { return true; });
  Tensors tensors;
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[number];
    if (is_given(node.op)) tensors[{number, 0}] = (node.op == Op::input ? inputs : variables).at(node.as<Slot>().index).bytes;
  }
  tensors = interpret(graph, std::move(tensors));
  std::vector<Tensor> fetched;
  for (const Fetch& fetch : graph.fetches)
    fetched.push_back({graph.type(fetch.use), tensors.at({fetch.use.node, fetch.use.output})});
  return fetched;
}

/// Splits operands as declare() does.
void split(const std::vector<Tensor>& operands, std::vector<Tensor>& inputs, std::vector<Tensor>& variables) {
  for (const Tensor& operand : operands) (operand.type.dtype == DType::f32 ? variables : inputs).push_back(operand);
}

}  // namespace

Tensor tensor(DType dtype, Shape shape, const std::vector<double>& values) {
  Tensor result = empty({shape, dtype});
  if (static_cast<std::int64_t>(values.size()) != shape.count())
    throw std::logic_error("a test's tensor has the wrong number of values");
  fill(result.host(), values);
  return result;
}

Tensor spread(Shape shape, int seed) {
  const auto count = static_cast<int>(shape.count());
  std::vector<double> values(count);
  int step = 1 + static_cast<int>(count * 0.618);
  while (std::gcd(step, count) != 1) ++step;
  for (int i = 0; i < count; ++i) {
    const int place = static_cast<int>((static_cast<std::int64_t>(i) * step + 7 * seed) % count);  // a permutation
    values[i] = (place + 0.5) / count * 3.8 - 1.9 + (place * 2 < count ? -0.05 : 0.05);
  }
  return f32(shape, values);
}

std::vector<double> values(const Tensor& tensor) {
  const HostView view = tensor.view();
  switch (tensor.type.dtype) {
    case DType::f32:
      return read<float>(view);
    case DType::bf16:
      return read<BFloat16>(view);
    case DType::f16:
      return read<Float16>(view);
    case DType::s32:
      return read<std::int32_t>(view);
    case DType::s8:
      return read<std::int8_t>(view);
    case DType::u8:
      return read<std::uint8_t>(view);
  }
  return {};
}

std::vector<Tensor> evaluate(const Build& build, const std::vector<Tensor>& operands) {
  GraphBuilder g({.training = true});
  const auto declared = declare(g, types_of(operands));
  for (const Value& result : build(g, declared)) g.fetch("result", result);
  std::vector<Tensor> inputs, variables;
  split(operands, inputs, variables);
  return run(g.graph(), inputs, variables);
}

std::vector<double> evaluate_one(const Build& build, const std::vector<Tensor>& operands) {
  return values(evaluate(build, operands).at(0));
}

std::vector<std::vector<double>> gradients(const Build& build, const std::vector<Tensor>& operands,
                                           const std::vector<double>& weights) {
  GraphBuilder g({.training = true});
  const auto declared = declare(g, types_of(operands));
  const Value result = build(g, declared).at(0);
  const Shape shape = result.shape();
  const Value weighted = result * g.input("weights", {shape, DType::f32});
  std::vector<Value> parameters;
  for (const Value& operand : declared) {
    if (operand.dtype() == DType::f32) parameters.push_back(operand);
  }
  for (const Value& gradient : differentiate(g, sum(weighted), parameters)) g.fetch("gradient", gradient);
  std::vector<Tensor> inputs, variables;
  split(operands, inputs, variables);
  inputs.push_back(f32(shape, weights.empty() ? std::vector<double>(shape.count(), 1) : weights));
  std::vector<std::vector<double>> found;
  for (const Tensor& gradient : run(g.graph(), inputs, variables)) found.push_back(values(gradient));
  return found;
}

void expect_true_gradients(const Build& build, const std::vector<Tensor>& operands, double tolerance) {
  const auto results = evaluate_one(build, operands);
  std::vector<double> weights(results.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    weights[i] = 0.25 * static_cast<double>(1 + i * 5 % 7) * (i % 3 == 1 ? -1 : 1);
  const auto found = gradients(build, operands, weights);
  const auto loss = [&](const std::vector<Tensor>& at) {
    const auto results = evaluate_one(build, at);
    double total = 0;
    for (std::size_t i = 0; i < results.size(); ++i) total += results[i] * weights[i];
    return total;
  };
  constexpr double step = 1.0 / 256;
  std::size_t parameter = 0;
  for (std::size_t operand = 0; operand < operands.size(); ++operand) {
    if (operands[operand].type.dtype != DType::f32) continue;
    const auto& gradient = found.at(parameter++);
    const auto original = values(operands[operand]);
    ASSERT_EQ(gradient.size(), original.size());
    for (std::size_t i = 0; i < original.size(); ++i) {
      std::vector<Tensor> moved = operands;
      auto shifted = original;
      shifted[i] = original[i] + step;
      moved[operand] = f32(operands[operand].type.shape, shifted);
      const double above = loss(moved);
      shifted[i] = original[i] - step;
      moved[operand] = f32(operands[operand].type.shape, shifted);
      const double numeric = (above - loss(moved)) / (2 * step);
      EXPECT_NEAR(gradient[i], numeric, tolerance * std::max(1.0, std::abs(numeric)))
          << "operand " << operand << ", element " << i;
    }
  }
}

std::string error_of(const Build& build, const std::vector<TensorType>& operands) {
  GraphBuilder g({.training = true});
  const auto declared = declare(g, operands);
  const auto scope = g.scope("here");
  try {
    build(g, declared);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TensorType type_of(const Build& build, const std::vector<TensorType>& operands) {
  GraphBuilder g({.training = true});
  return build(g, declare(g, operands)).at(0).type();
}

}  // namespace qfw::test
