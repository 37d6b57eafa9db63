#pragma once

#include <string>

namespace qfw {

std::string host_name();  ///< "unknown" where the system does not tell

}  // namespace qfw
