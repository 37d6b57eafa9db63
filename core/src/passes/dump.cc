#include "passes/dump.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace qfw {

void dump(const char* pass, const Graph& graph) {
  const char* wanted = std::getenv("QFW_DUMP");
  if (wanted == nullptr || fmt::format(",{},", wanted).find(",graph,") == std::string::npos) return;
  std::fprintf(stderr, "==== after %s (%s): %zu nodes\n%s", pass, graph.training ? "training" : "evaluation",
               graph.nodes.size(), to_string(graph).c_str());
}

}  // namespace qfw
