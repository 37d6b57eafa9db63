#pragma once

#include <string>

#include "inspect/profile.h"

namespace qfw {

/// Where the time of a step goes, layer by layer: what `qfw bench --profile` prints below its totals. At most 80 columns;
/// layers that multiply nothing count for the one before, and of many layers equal blocks are folded.
std::string profile_table(const Profile& profile, const Ceilings& ceilings);

/// Every layer and part by itself, in as many columns as it takes, or stacked where the terminal has fewer (`width`).
std::string whole_profile_table(const Profile& profile, const Ceilings& ceilings, std::size_t width);

}  // namespace qfw
