#pragma once

#include <spdlog/spdlog.h>

#include <filesystem>

namespace qfw {

/// The program's log: standard error, above the progress line. Level by the environment's QFW_LOG (trace, debug, info, warn,
/// error, off), default info.
spdlog::logger& logger();

/// From now on also into this file, appended, with date and level.
void log_to_file(const std::filesystem::path& path);
/// Lets go of the file.
void stop_log_to_file();

}  // namespace qfw
