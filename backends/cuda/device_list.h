#pragma once

#include <string_view>

#include "qfw/local_replica.h"

namespace qfw::cuda {

/// The device that a replica takes, of a list as `0` or `0,1,2,3`: one number serves a single replica, of several each takes
/// the one in its place. Throws Category::usage for anything else, and for a list that is shorter or longer than there are
/// replicas.
int device_of(std::string_view list, LocalReplica replica);

}  // namespace qfw::cuda
