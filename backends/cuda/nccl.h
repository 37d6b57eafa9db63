#pragma once

#include <array>
#include <memory>
#include <string>

#include "connection.h"
#include "device.h"

/// NVIDIA's library of reductions over devices, declared here as far as it is used: no header of it is needed.
namespace qfw::cuda {

/// Sums by NCCL. Called by all replicas at the same time, each from its own thread; whether they can is agreed upon first:
/// null, for all, where one of them has no NCCL or two share a device.
std::unique_ptr<Collective> make_nccl_collective(const Library& library, std::shared_ptr<const Connection> connection,
                                                 Communicator& replicas);

}  // namespace qfw::cuda
