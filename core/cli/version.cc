#include "util/version.h"

#include <fmt/format.h>

#include "verbs.h"

namespace qfw {

/// Beside --version, for those who look for it among the verbs.
Verb version_verb() {
  return {.name = "version",
          .summary = "the program's version and commit, as --version",
          .run = [](const Arguments&, const Catalog&) {
            fmt::print("qfw {}\n", version());
            return 0;
          }};
}

}  // namespace qfw
