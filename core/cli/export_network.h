#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plugin/catalog.h"
#include "run_source.h"
#include "verb.h"

namespace qfw {

/// What `qfw export` shall show of a file beside writing it: numbers of images, 0 for as many as evaluations take.
struct Proof {
  std::optional<std::int64_t> verify;  ///< what was written, before it appears
  std::optional<std::int64_t> only;    ///< a file that is there
  std::optional<std::int64_t> check;   ///< images for others to try it with
  std::optional<double> agreement;     ///< of a file that is only close: percent of images with the same class, at least
  bool any() const { return verify || only || check; }
};
/// Throws Error::Category::usage for options that do not go together.
Proof proof_of(const Arguments& arguments);

struct NetworkExport {
  std::string exporter;
  std::vector<std::string> exporter_options, overrides;  ///< KEY=VALUE
  std::filesystem::path file;
  Proof proof;
};
/// Writes a run's network for other programs, verified if asked for. Returns the exit code.
int export_network(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog);

}  // namespace qfw
