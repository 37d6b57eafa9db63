#pragma once

#include "device.h"
#include "qfw/backend.h"

namespace qfw::cuda {

/// What the device's multiprocessors multiply at their highest clock; zeros for an architecture that is not known here.
Backend::Peak peak_of(const Device::Properties& device);

}  // namespace qfw::cuda
