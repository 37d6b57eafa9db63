#include "context.h"

#include "matmul/make.h"
#include "matmul/primitive.h"

namespace qfw::cpu {
namespace {

/// Integer convolutions of evaluations: their sums are four times as long as the codes that the pass makes of them. Passes of
/// training take statistics of all sums before they use them.
bool may_anchor(const Graph& graph, const Node& node) {
  return !graph.training && node.op == Op::conv2d && is_integer(graph.type(node.inputs[0]).dtype) && library_has_integer_dot();
}

}  // namespace

const lowering::Target& target() {
  static const lowering::Target target{.alignment = alignment, .may_anchor = may_anchor};
  return target;
}

}  // namespace qfw::cpu
