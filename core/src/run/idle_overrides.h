#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run/session.h"

namespace qfw {

/// A recipe key of a command line that changes nothing of an evaluation.
struct IdleOverride {
  std::string text;   ///< "quantizer.name=weights_only"
  std::string why;    ///< as far as it is known
  bool same = false;  ///< the recipe says so without it
};

/// Of `overrides`, with which the session's recipe was read from `file`, those without which an evaluation after `completed`
/// steps would compute the same network on the same pictures with the same backend. What cannot be told is left out. Reads the
/// recipe again for each, and makes graphs where settings differ; compiles nothing.
std::vector<IdleOverride> idle_overrides(const Session& session, std::int64_t completed, const std::filesystem::path& file,
                                         const std::vector<std::string>& overrides, const Catalog& catalog);

/// A warning for each; of those that only repeat what the recipe says a line.
void say_idle_overrides(const Session& session, std::int64_t completed, const std::filesystem::path& file,
                        const std::vector<std::string>& overrides, const Catalog& catalog);

/// A run's recipe spells out every key, so that another plugin's name alone leaves options as they were. These are overrides
/// for them: where `overrides` name another plugin and say nothing of an option that had its default under the one before, the
/// default that it has under the new one.
std::vector<std::string> defaults_of_named_plugins(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                                                   const Catalog& catalog);

}  // namespace qfw
