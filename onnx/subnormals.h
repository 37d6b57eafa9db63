#pragma once

#include <vector>

#include "constants.h"
#include "qfw/bounds.h"
#include "qfw/graph.h"

namespace qfw::onnx {

/// Where a runtime that keeps subnormal numbers could tell itself from qfw, which counts them as zero (docs/numerics.md).
///
/// Of every value two exponents are known: its elements other than zero are at least 2^least in magnitude, and all are
/// multiples of 2^grain. Multiplying adds exponents, adding takes the finer grain, flooring gives whole numbers; so in most
/// networks no subnormal number ever arises behind the first floor. What is left are values some elements of which may be
/// subnormal, and of these most lead to places where the difference vanishes: x + 0.5 has the same bits for x = 0 and x =
/// 2^-127.
class Subnormals {
 public:
  /// `pixels`: the input's elements are those of tables whose smallest exponents are known; else they are any numbers.
  Subnormals(const Graph& graph, const Constants& constants, const std::vector<float>& pixels);

  /// Whether subnormal elements of this value have to be made zero for the bits of the fetches to be qfw's.
  bool must_be_flushed(Use use) const { return flushed_[static_cast<std::size_t>(use.node)]; }

 private:
  struct Exponents {
    int least, grain;
  };
  static Exponents of_numbers(const std::vector<float>& numbers);
  Exponents of(Use use) const;
  int beside_constant(Use use) const;
  Exponents result(const Node& node) const;
  bool is_fetched(Use use) const;
  /// Whether elements below 2^bound in magnitude give the same bits of the fetches if each is any number below that.
  bool is_absorbed(Use use, int bound);
  bool is_absorbed_by(const Node& node, Use use, int bound);
  bool is_absorbed_by_floor(const Node& floor, Use use);

  const Graph& graph_;
  const Constants& constants_;
  ValueBounds bounds_;
  Exponents images_;
  std::vector<Exponents> known_;         ///< by node
  std::vector<bool> flushed_;            ///< by node
  std::vector<std::vector<int>> users_;  ///< by node
};

}  // namespace qfw::onnx
