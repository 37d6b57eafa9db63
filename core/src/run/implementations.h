#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "qfw/backend.h"

namespace qfw {

/// `training_steps` of environment.json: which implementations compute the training steps of a run, so that one that goes on
/// elsewhere, or with other libraries, can be compared with it. An empty list where there is none.
boost::json::value recorded_implementations(const std::filesystem::path& environment);

/// Puts those of a step, which has run, in the place of what is recorded for its phase. Returns how they differ from that, a
/// sentence; empty: in nothing, or nothing was recorded.
std::string record_implementations(const std::filesystem::path& environment, std::int64_t step, const std::string& phase,
                                   std::span<const Executable::Task> tasks);

}  // namespace qfw
