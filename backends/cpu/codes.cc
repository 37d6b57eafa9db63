#include "codes.h"

#include "matmul/make.h"

namespace qfw::cpu {

Graph reading_codes(const Graph& graph, const Context& context) {
  Graph result = graph;
  for (Node& node : result.nodes) {
    if (!reads_codes(graph, node, context)) continue;
    const Node& cast = graph.nodes[node.inputs[0].node];
    if (cast.op == Op::cast && is_integer(graph.type(cast.inputs[0]).dtype)) node.inputs[0] = cast.inputs[0];
  }
  return result;
}

}  // namespace qfw::cpu
