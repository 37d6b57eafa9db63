#pragma once

#include <spdlog/spdlog.h>

#include <filesystem>

namespace qfw {

/// The program's log: standard error, above the progress line. Level by the environment's QFW_LOG (trace, debug, info, warn,
/// error, off), default info.
spdlog::logger& logger();

/// Keeps what is said from now on for the file that log_to_file is going to name.
void hold_log();
/// From now on also into this file, appended, with date and level; what was held first.
void log_to_file(const std::filesystem::path& path);
/// Lets go of the file, and of what is held.
void stop_log_to_file();

}  // namespace qfw
