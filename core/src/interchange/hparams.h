#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "plugin/catalog.h"
#include "qfw/format.h"
#include "run/session.h"

namespace qfw {

/// A resolved recipe as formats see it.
Format::Run format_run(const Session& session);

/// hparams.json of a run folder: the first form of the format that serves by default, by rename. Where that is not installed or
/// has no words for the recipe, there is none, and the log says why.
void write_hparams(const std::filesystem::path& file, const Session& session, const Catalog& catalog);

}  // namespace qfw
