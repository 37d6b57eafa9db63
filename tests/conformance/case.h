#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "qfw/builder.h"

/// A computation that every backend must do as `reference` does. A family of ops is a file of such cases.
namespace qfw::conformance {

enum class Fill {
  normal,          ///< of variance 1
  small,           ///< of standard deviation 0.1: weights
  positive,        ///< at least 0.1
  ties,            ///< few different values, so that equal ones meet
  codes,           ///< whole numbers over the whole range of the type; of a float, from -127 to 127
  unsigned_codes,  ///< whole numbers from 0 to 255
  mask,            ///< 0 or 1
  targets,         ///< each row a probability distribution
  special,         ///< infinities, NaN and zeros of both signs among normal numbers
  subnormal,       ///< with numbers too small for a normal float
};

/// Floats are variables (of 16 bits: a variable, cast), and gradients are taken of them, unless they are fed; integers are
/// fed.
struct Operand {
  TensorType type;
  Fill fill = Fill::normal;
  bool fed = false;
};

/// |found - expected| <= relative * |expected| + of_scale * (root mean square of what is expected). Both 0: equal.
struct Tolerance {
  double relative = 0, of_scale = 0;
};

struct Case {
  std::string name;  ///< also the seed of its data
  std::vector<Operand> operands;
  std::function<std::vector<Value>(GraphBuilder& g, const std::vector<Value>& operands)> build;
  Tolerance forward, backward;
  bool gradients = true;
  bool by_norm = false;  ///< compare root mean squares of differences: for whole networks, where few elements may flip
  int least_levels = 3;  ///< of the first result: fewer different values prove nothing; 0: any will do
  bool sparse = false;   ///< other results and gradients may be nearly all zeros
  int steps = 1;         ///< runs one after another; what is compared is the last one's results and the variables
  int replicas = 1;
  bool optional = false;  ///< a backend may decline it, saying why
};

inline void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

/// Error of a sum of `products` in f32, in parts of the result's usual size: it grows like the root of their number.
Tolerance of_matmul(DType result, std::int64_t products);
/// Of a few elementwise ops, none of them exact, or of a reduction in any order.
Tolerance of_arithmetic(DType result);

/// "bf16_2x5x5x17", for names of cases.
std::string word(const TensorType& type);

using Parameter = std::tuple<std::string, Case>;  ///< backend, case

/// Backends under test: QFW_CONFORMANCE_BACKENDS, separated by commas, `cpu` if it is not set.
std::vector<std::string> backends();

class Conformance : public testing::TestWithParam<Parameter> {
 protected:
  void agree();  ///< runs the case on the backend and on `reference` and compares
};

std::string name_of_parameter(const testing::TestParamInfo<Parameter>& info);

/// A family: its name is what the test filter and CTest call it.
#define QFW_CONFORMANCE(family, ...)                                                                                         \
  class family : public ::qfw::conformance::Conformance {};                                                                  \
  TEST_P(family, AgreesWithReference) { agree(); }                                                                           \
  INSTANTIATE_TEST_SUITE_P(                                                                                                  \
      Backends, family, testing::Combine(testing::ValuesIn(::qfw::conformance::backends()), testing::ValuesIn(__VA_ARGS__)), \
      ::qfw::conformance::name_of_parameter)

}  // namespace qfw::conformance
