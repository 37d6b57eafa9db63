#include "recipe/glob.h"

namespace qfw {
namespace {

bool match(std::string_view pattern, std::string_view path, bool component_start) {
  while (!pattern.empty()) {
    if (pattern.front() == '*') {
      const bool across = pattern.starts_with("**");
      while (pattern.starts_with('*')) pattern.remove_prefix(1);
      if (across && component_start && pattern.starts_with('/') && match(pattern.substr(1), path, true)) return true;
      for (std::size_t at = 0; at <= path.size(); ++at) {
        if (match(pattern, path.substr(at), false)) return true;
        if (!across && at < path.size() && path[at] == '/') return false;
      }
      return false;
    }
    if (path.empty() || pattern.front() != path.front()) return false;
    component_start = path.front() == '/';
    pattern.remove_prefix(1);
    path.remove_prefix(1);
  }
  return path.empty();
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view path) { return match(pattern, path, true); }

}  // namespace qfw
