#pragma once

namespace qfw {

/// Warns of variables QFW_... that are spelt nearly as one that qfw reads.
void check_environment();

}  // namespace qfw
