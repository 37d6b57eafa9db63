#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "viewer/conform.h"

/// What the JSON files of a run folder hold, as far as pages show it. docs/report.md describes them.
namespace qfw::viewer {

struct RecordFile {
  std::string_view name;
  std::uint64_t most_bytes;  ///< a larger one is not read
  std::span<const Field> fields;
};

RecordFile setup_file();
RecordFile report_file();
RecordFile status_file();
RecordFile evaluation_file();

}  // namespace qfw::viewer
