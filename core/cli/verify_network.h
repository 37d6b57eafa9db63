#pragma once

#include "export_network.h"

namespace qfw {

/// Compares a file that is there with what would be written of a run's network, and its logits with the run's; tells what was
/// proven, throws where the file must not pass. Writes nothing.
void verify_network(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog);

}  // namespace qfw
