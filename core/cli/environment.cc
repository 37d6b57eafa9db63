#include "environment.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "io/log.h"
#include "util/nearest.h"

namespace qfw {

void bound_spinning() {
  const auto is_set = [](const char* name) { return std::getenv(name) != nullptr; };
  if (is_set("OMP_WAIT_POLICY") || is_set("GOMP_SPINCOUNT") || is_set("KMP_BLOCKTIME") || is_set("KMP_LIBRARY")) return;
  setenv("GOMP_SPINCOUNT", "3000", 0);  // tens of microseconds: longer than most gaps between two loops
  setenv("KMP_BLOCKTIME", "1", 0);      // in milliseconds; the least above none at all
}

void check_environment() {
  static const std::vector<std::string> known = {"QFW_PLUGIN_PATH", "QFW_LOG", "QFW_DUMP", "QFW_CUDA_LIBRARIES"};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view whole = *variable, name = whole.substr(0, whole.find('='));
    if (!name.starts_with("QFW_") || std::ranges::find(known, name) != known.end()) continue;
    const std::string meant = nearest(name, known);
    if (!meant.empty()) logger().warn("the environment has {}, which nothing reads; did you mean {}?", name, meant);
  }
  const char* dumped = std::getenv("QFW_DUMP");
  static const std::array<std::string_view, 5> words = {"graph", "plan", "groups", "code", "perf"};
  const auto in_it = [&](std::string_view word) { return std::string_view(dumped).find(word) != std::string_view::npos; };
  if (dumped != nullptr && *dumped != 0 && std::ranges::none_of(words, in_it)) {
    logger().warn("QFW_DUMP = {} prints nothing; its words are graph, plan, groups, code, perf", dumped);
  }
}

}  // namespace qfw
