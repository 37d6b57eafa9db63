#pragma once

#include "qfw/export.h"

namespace qfw {

/// A replica among those of this process: 0 of 1 where a run has one.
struct LocalReplica {
  int index = 0, count = 1;
};

/// The one that the calling thread makes a backend for: where there are several devices, each takes one of its own.
QFW_API LocalReplica local_replica();

}  // namespace qfw
