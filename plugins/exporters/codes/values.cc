#include "values.h"

namespace qfw::codes {

std::string Names::take(std::string wanted) {
  for (std::size_t at = wanted.find('/'); at != std::string::npos; at = wanted.find('/', at + 1)) {
    while (taken_.contains(wanted.substr(0, at))) wanted.insert(at++, 1, '_');
  }
  std::string name = wanted;
  for (int i = 2; taken_.contains(name) || folders_.contains(name); ++i) name = wanted + "_" + std::to_string(i);
  for (std::size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1))
    folders_.insert(name.substr(0, at));
  taken_.insert(name);
  return name;
}

Values::Values(const FrozenModel& model, Names& names) {
  const Graph& graph = model.graph;
  const auto give = [&](Use use, const std::string& name) {
    if (use.node < 0 || names_.contains({use.node, use.output})) return;
    names_[{use.node, use.output}] = names.take(name);
  };
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[static_cast<std::size_t>(number)];
    if (node.op == Op::tensor) give({number, 0}, graph.tensors[static_cast<std::size_t>(node.as<Slot>().index)].name);
    if (node.op == Op::input) give({number, 0}, graph.inputs[static_cast<std::size_t>(node.as<Slot>().index)].name);
  }
  for (const Fetch& fetch : graph.fetches) give(fetch.use, fetch.name);
  for (const QuantizedSite& site : graph.sites) {
    if (site.matmul.node < 0) continue;
    give(graph.nodes[static_cast<std::size_t>(site.matmul.node)].inputs[0], site.path + "/src/codes");
    give(site.matmul, site.path + "/sums");
    give(site.product, site.path + "/product");
  }
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[static_cast<std::size_t>(number)];
    for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output)
      give({number, output}, node.path + (node.path.empty() ? "" : "/") + name_of(node.op));
  }
}

}  // namespace qfw::codes
