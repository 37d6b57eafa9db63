#pragma once

#include <boost/json/array.hpp>

#include "inspect/explanation.h"

namespace qfw {

/// The layers of an explanation as `qfw explain --json` and setup.json have them.
boost::json::array layers_json(const Explanation& explanation);

/// Every value that is kept for the backward pass.
boost::json::array stash_json(const std::vector<Stash::Row>& rows);

/// Null for a float.
boost::json::value bits_json(int bits);

}  // namespace qfw
