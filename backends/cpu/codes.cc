#include "codes.h"

#include "matmul/make.h"

namespace qfw::cpu {

Graph reading_codes(const Graph& graph, const Context& context) {
  Graph result = graph;
  for (Node& node : result.nodes) {
    const int operand = codes_operand(graph, node, context);
    if (operand < 0) continue;
    const Node& cast = graph.nodes[node.inputs[operand].node];
    if (cast.op == Op::cast && is_integer(graph.type(cast.inputs[0]).dtype)) node.inputs[operand] = cast.inputs[0];
  }
  return result;
}

}  // namespace qfw::cpu
