#pragma once

#include <array>
#include <span>

#include "viewer/conform.h"

/// What the JSON files of a run folder hold, as far as pages show it. docs/report.md describes them.
namespace qfw::viewer {

std::span<const Field> setup_fields();
std::span<const Field> report_fields();
std::span<const Field> status_fields();
std::span<const Field> evaluation_fields();

}  // namespace qfw::viewer
