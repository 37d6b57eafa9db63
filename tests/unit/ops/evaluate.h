#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "qfw/builder.h"

/// Evaluates small graphs with the reference kernels alone, without a backend.
namespace qfw::test {

struct Tensor {
  TensorType type;
  std::vector<std::byte> bytes;

  HostView view() const { return {type, bytes}; }
  HostTensor host() { return {type, bytes}; }
};

Tensor tensor(DType dtype, Shape shape, const std::vector<double>& values);
inline Tensor f32(Shape shape, const std::vector<double>& values) { return tensor(DType::f32, shape, values); }
inline Tensor bf16(Shape shape, const std::vector<double>& values) { return tensor(DType::bf16, shape, values); }

/// Different values in (-2, 2), no two of them closer than the step of numeric differences, none near 0.
Tensor spread(Shape shape, int seed = 1);

std::vector<double> values(const Tensor& tensor);

/// What is tested: operands of type f32 are parameters, others inputs.
using Build = std::function<std::vector<Value>(GraphBuilder& g, const std::vector<Value>& operands)>;

std::vector<Tensor> evaluate(const Build& build, const std::vector<Tensor>& operands);
std::vector<double> evaluate_one(const Build& build, const std::vector<Tensor>& operands);  ///< the first result's values

/// d sum(first result * weights) / d operand, for each f32 operand in order; weights are 1 if left out.
std::vector<std::vector<double>> gradients(const Build& build, const std::vector<Tensor>& operands,
                                           const std::vector<double>& weights = {});

/// Compares gradients(), with uneven weights, with central differences.
void expect_true_gradients(const Build& build, const std::vector<Tensor>& operands, double tolerance = 2e-3);

/// The message of the error that `build` throws when recorded, empty if none.
std::string error_of(const Build& build, const std::vector<TensorType>& operands);

/// The type of the first result.
TensorType type_of(const Build& build, const std::vector<TensorType>& operands);

}  // namespace qfw::test
