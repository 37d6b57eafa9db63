#pragma once

#include <boost/json/object.hpp>

#include "inspect/profile.h"

namespace qfw {

/// What `qfw bench --profile --json` adds: every layer and part, and what they are held against. Milliseconds of a step;
/// null for what is not known.
boost::json::object profile_json(const Profile& profile, const Ceilings& ceilings);

}  // namespace qfw
