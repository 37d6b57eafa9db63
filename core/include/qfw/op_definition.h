#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qfw/bounds.h"
#include "qfw/graph.h"
#include "qfw/tensor.h"
#include "qfw/value.h"

/// The rules of each op, side by side: what shapes it takes, how it is differentiated, what it computes, what is known of its
/// result. The simple elementwise ops are the rows of core/src/ops/elementwise.cc, every other op has its file beside it.
/// Passes and backends read them; authors of models and quantizers need ops.h and nn.h only.
namespace qfw {

/// Throws Error::Category::graph with a message that names the op; the caller adds the layer.
using InferRule = std::vector<TensorType> (*)(std::span<const TensorType> inputs, const Attributes& attributes);

/// What a gradient rule sees of the node it differentiates.
struct Differentiation {
  GraphBuilder& g;
  const Node& node;                                 ///< a copy: adding nodes does not move it
  std::span<const Value> inputs, outputs;           ///< the node's own
  std::span<const std::optional<Value>> gradients;  ///< of the loss with respect to each output; empty if it does not reach
};
/// One gradient per input, empty where none flows. Its shape may be the broadcast one: the pass sums it down to the input's.
using GradientRule = std::vector<std::optional<Value>> (*)(const Differentiation&);

/// One node's evaluation on host memory.
struct Evaluation {
  const Node& node;
  std::span<const HostView> inputs;
  std::span<const HostTensor> outputs;
};
/// The reference kernel: plain loops; sums in double, in index order; elementwise ops rounded once to the result's dtype.
using ReferenceKernel = void (*)(const Evaluation&);

/// A composite in simpler ops, each with a kernel of its own: one Value per output, of the same type.
using Expansion = std::vector<Value> (*)(GraphBuilder& g, const Node& node, std::span<const Value> inputs);

struct OpDefinition {
  Op op{};
  const char* name = "";
  OpClass op_class{};
  const char* doc = "";                ///< one line for people
  InferRule infer = nullptr;           ///< null only for sources, whose type is given
  GradientRule gradient = nullptr;     ///< null: none flows (no_gradient), or differentiating through it is an error
  bool no_gradient = false;            ///< by contract no gradient flows to any operand
  BoundsRule bounds = nullptr;         ///< null: nothing is known but the dtype's range
  double cost = 1;                     ///< arithmetic per element of an elementwise op or a view; an addition is 1
  bool exact = false;                  ///< what it makes of bf16 or f16 numbers is such a number without rounding
  ReferenceKernel evaluate = nullptr;  ///< null for sources, assign, composites and all_reduce
  Expansion expand = nullptr;          ///< of composites only
};

QFW_API const OpDefinition& definition(Op op);

}  // namespace qfw
