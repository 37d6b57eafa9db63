#include "environment.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "io/log.h"
#include "util/nearest.h"

namespace qfw {

namespace {

/// The core's word is graph; the others are those of the backends in this tree.
void check_dump() {
  static const std::vector<std::string> words = {"graph", "plan", "groups", "code", "perf"};
  const char* dumped = std::getenv("QFW_DUMP");
  std::istringstream given(dumped == nullptr ? "" : dumped);
  std::vector<std::string> unknown;
  std::string meant;
  for (std::string word; std::getline(given, word, ',');) {
    if (word.empty() || std::ranges::find(words, word) != words.end()) continue;
    if (meant.empty()) meant = did_you_mean(word, words);
    unknown.push_back("'" + word + "'");
  }
  if (unknown.empty()) return;
  logger().warn("QFW_DUMP: {} {} none of its words, which are {}, separated by commas{}{}", fmt::join(unknown, ", "),
                unknown.size() == 1 ? "is" : "are", fmt::join(words, ", "), meant.empty() ? "" : "; ", meant);
}

}  // namespace

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
  check_dump();
}

}  // namespace qfw
