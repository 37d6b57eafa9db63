#pragma once

#include <string>

#include "passes/finish.h"
#include "qfw/builder.h"
#include "qfw/lowering/target.h"

/// Small graphs whose lowering is short enough to be read.
namespace qfw::lowering::testing {

/// A literal that begins with a line break, without it.
inline std::string lines(const char* text) { return text + 1; }

/// As on `cpu`.
inline const Target target{};

/// A quantized convolution behind another, as an evaluation has it: sums to codes in one pass.
inline Graph quantized_pair() {
  GraphBuilder g({.training = false});
  const Value codes = g.input("codes", {{2, 32, 32, 16}, DType::u8});
  const Value first = g.input("first", {{1, 1, 16, 16}, DType::s8}), second = g.input("second", {{1, 1, 16, 8}, DType::s8});
  const Value factor = g.parameter("factor", {16}, Init::zeros()), shift = g.parameter("shift", {16}, Init::zeros());
  const Value y = relu(cast(conv2d(codes, first, {}), DType::f32) * factor + shift);
  const Value next = cast(minimum(floor(y * 4.0), 15, Ties::half), DType::u8);
  g.fetch("sums", conv2d(next, second, {}));
  return finish(g.graph());
}

/// A batch normalisation in training: moments, then the pass that uses them.
inline Graph normalised() {
  GraphBuilder g({});
  const Value x = g.input("x", {{4, 16, 16, 32}});
  const Value mean = g.state("mean", {32});
  const Moments batch = moments(x);
  g.assign(mean, 0.9 * mean + 0.1 * all_reduce(batch.mean, Across::mean));
  const Value deviation = sqrt(batch.variance + 1e-5);  // compilers differ in the order of operands
  g.fetch("y", relu((x - batch.mean) / deviation));
  return finish(g.graph());
}

}  // namespace qfw::lowering::testing
