#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/checkpoint.h"
#include "qfw/confined.h"

namespace qfw {

/// All that a checkpoint says, as a child process hands it over that has read one of version 1.
struct CheckpointContents {
  CheckpointInfo info;
  std::vector<CheckpointVariable> variables;  ///< in order of name
  std::vector<std::vector<std::byte>> values;
};

/// Version 1 carried a CRC-32 of the info, then of each variable's name, type and bytes.
std::uint64_t sum_of_version_1(const CheckpointContents& contents);

void put_contents(Answer& answer, const CheckpointContents& contents);
CheckpointContents take_contents(Received received);

}  // namespace qfw
