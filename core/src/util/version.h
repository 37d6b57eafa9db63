#pragma once

namespace qfw {

/// The version, and the commit it was built from where that is known: "0.1.0 (79bec33, modified)".
const char* version();

}  // namespace qfw
