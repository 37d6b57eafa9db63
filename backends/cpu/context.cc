#include "context.h"

#include "matmul/make.h"
#include "matmul/primitive.h"

namespace qfw::cpu {
namespace {

/// Integer convolutions: their sums are two or four times as long as what the pass makes of them.
bool may_anchor(const Graph& graph, const Node& node) {
  return node.op == Op::conv2d && is_integer(graph.type(node.inputs[0]).dtype) && library_has_integer_dot();
}

}  // namespace

const lowering::Target& target() {
  static const lowering::Target target{.alignment = alignment, .may_anchor = may_anchor};
  return target;
}

}  // namespace qfw::cpu
