#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "constants.h"

namespace qfw::codes {

/// How an element of integer activations follows from one number: from the s32 sum of a product at the same place and in the
/// same channel, or from a pixel. Found from the graph's edges alone. Elementwise ops whose every other operand is a constant
/// of one number, or one per channel; the way may fork and meet again, and lead through max pools, which choose among codes as
/// they do among what the codes are made of.
class Chain {
 public:
  /// Of `codes`, u8 or s8. `graph` and `constants` outlive it.
  Chain(const Graph& graph, Constants& constants, Use codes);

  /// Why there is none: "add of stage1/block0 joins stage1/block0/conv_3 and stage1/block0/conv_proj". Empty if there is one.
  const std::string& obstacle() const { return obstacle_; }
  Use codes() const { return codes_; }
  Use source() const { return source_; }  ///< a conv2d or dense node of s32, or the images
  /// Max pools on the way, from the source on: codes are pooled in their place, one after the other.
  const std::vector<int>& pools() const { return pools_; }
  std::int64_t channels() const { return channels_; }

  /// Whether each op rounds a function that never falls, or never rises, in what comes from the source, whatever the
  /// constants: then so does the whole, in each channel, between any two numbers that it takes to finite ones.
  bool is_monotone() const { return monotone_; }

  /// The codes of `rows` numbers for each channel, [row][channel], of the source's dtype; bit for bit what every backend
  /// computes. Throws Error::Category::graph where one is no number. `finite`, if asked for: whether everything on the way was
  /// finite.
  std::vector<int> codes_of(HostView numbers, bool* finite = nullptr) const;

 private:
  TensorType of_rows(DType dtype, std::int64_t rows) const;

  const Graph& graph_;
  Use codes_, source_;
  std::string obstacle_;
  std::int64_t channels_ = 1;
  int rank_ = 4;
  bool monotone_ = true, line_ = true;  ///< line: no op takes two values that vary
  struct Step {
    int node;
    std::vector<int> from;            ///< of each operand: the step that makes it, -1: the source, -2: a constant
    std::vector<HostView> constants;  ///< of each operand, if it is one
  };
  std::vector<Step> steps_;  ///< in order; the last one makes the codes
  std::vector<int> pools_;
};

}  // namespace qfw::codes
