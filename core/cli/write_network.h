#pragma once

#include "export_network.h"

namespace qfw {

/// Writes a run's network to the file, which replaces no other's, verified and with images for others to try it with as asked
/// for. Nothing appears unless all of it does.
void write_network(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog);

}  // namespace qfw
