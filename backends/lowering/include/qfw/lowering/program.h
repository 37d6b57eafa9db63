#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "qfw/graph.h"
#include "qfw/lowering/grouping.h"
#include "qfw/lowering/views.h"

/// What a group computes, apart from how: the same for an interpreter, a compiler and another device.
namespace qfw::lowering {

/// The index space of a group, axes merged wherever all operands allow it. Rows are all extents but the last.
struct Space {
  std::vector<std::int64_t> extents;  ///< at least one

  std::int64_t cols() const { return extents.back(); }
  std::int64_t count() const;
  std::int64_t rows() const { return count() / cols(); }
};

/// How much of the space a value varies over: one number, one row that serves all rows, everything.
enum class Fill : std::uint8_t { scalar, row, full };

/// Where an operand's or a result's elements lie.
enum class Pattern : std::uint8_t {
  scalar,
  row,
  dense,
  strided  ///< anything else: found row by row
};

/// A group as a program in single assignment: values[i] defines value i from earlier ones, for each index of the space.
struct FusedProgram {
  struct Value {
    enum class Kind : std::uint8_t { number, load, compute } kind{};
    DType dtype{};  ///< a computed value is rounded once to it; integers hold whole numbers within its range
    Op op{};        ///< of compute: elementwise, cast included; contracts in qfw/ops.h
    std::array<int, 3> args{-1, -1, -1};  ///< of compute: values, as many as the op has operands
    int load = -1;                        ///< of load: which
    double number = 0;                    ///< of number: rounded to the dtype
    Fill fill = Fill::full;
  };
  struct Load {
    int input = 0;
    DType dtype{};
    Strides strides{};  ///< by the space's extents, in elements
    Pattern pattern{};
  };
  struct Store {
    int output = 0;
    DType dtype{};
    int value = 0;
  };
  struct Reduction {
    enum class Kind : std::uint8_t { sum, max, min, moments } kind{};
    int value = 0;
    Strides strides{};  ///< of the result, by the space's extents
    Pattern pattern{};  ///< of the result; never dense
    std::int64_t results = 1;
    std::int64_t count = 1;               ///< elements that went into one result
    int output = -1, second_output = -1;  ///< -1: not wanted; second: the variance
  };

  Space space;
  bool in_order = false;  ///< sums in double and index order, as the reference has them
  std::vector<Value> values;
  std::vector<Load> loads;
  std::vector<Store> stores;
  std::vector<Reduction> reductions;
};

FusedProgram program_of(const Graph& graph, const Group& group);

/// One value, store or reduction a line.
std::string to_string(const FusedProgram& program);

}  // namespace qfw::lowering
