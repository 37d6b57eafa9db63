#include "qfw/lowering/dump.h"

#include <fmt/format.h>

#include <cstdlib>

#include "qfw/lowering/program.h"

namespace qfw::lowering {

bool is_dumped(std::string_view word) {
  const char* wanted = std::getenv("QFW_DUMP");
  return wanted != nullptr && fmt::format(",{},", wanted).find(fmt::format(",{},", word)) != std::string::npos;
}

std::string groups_text(const Graph& graph, const StepList& list) {
  std::string text;
  const auto operands = [&](const char* what, const std::vector<Use>& uses) {
    for (std::size_t i = 0; i < uses.size(); ++i) {
      const Use use = uses[i];
      const std::string output = use.output == 0 ? "" : fmt::format(".{}", use.output);
      text += fmt::format("  {} {}: %{}{} {}\n", what, i, use.node, output, graph.type(use).str());
    }
  };
  for (std::size_t i = 0; i < list.steps.size(); ++i) {
    const Group* group = list.steps[i].group;
    if (group == nullptr) continue;
    text += fmt::format("group of step {}: {}\n", i, label_of(graph, list.steps[i]));
    if (group->anchor >= 0)
      text += fmt::format("  may ride on %{} {}\n", group->anchor, name_of(graph.nodes[group->anchor].op));
    operands("input", group->inputs);
    operands("output", group->outputs);
    const std::string program = to_string(program_of(graph, *group));
    for (std::size_t at = 0; at < program.size();) {
      const std::size_t end = program.find('\n', at);
      text += "  " + program.substr(at, end + 1 - at);
      at = end + 1;
    }
  }
  return text;
}

}  // namespace qfw::lowering
