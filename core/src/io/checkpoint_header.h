#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace qfw {

/// What a checkpoint begins with, so that it can be told to be whole before anything of it is used: text of a fixed length that
/// says how many bytes follow and their XXH3-128 sum, and carries a sum of its own. HDF5 takes it for a user block.
constexpr std::size_t checkpoint_header_bytes = 512;
constexpr int checkpoint_version = 2;

std::string checkpoint_header(std::span<const std::byte> contents);

/// What is wrong with a file of these bytes: empty if it is whole.
struct CheckpointFault {
  std::string what, remedy;
  bool other_version = false;  ///< whole as far as can be told, but made by another program
  explicit operator bool() const { return !what.empty(); }
};
CheckpointFault fault_of_checkpoint(std::span<const std::byte> file);
/// As far as its first checkpoint_header_bytes tell, and its length: that it was cut, not that a byte was changed.
CheckpointFault fault_of_checkpoint(std::span<const std::byte> begin, std::uint64_t file_bytes);

/// Whether it is of version 1, which is plain HDF5 with a sum inside.
bool is_checkpoint_version_1(std::span<const std::byte> file);

}  // namespace qfw
