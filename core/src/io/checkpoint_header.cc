#include "io/checkpoint_header.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "util/counted.h"

namespace qfw {
namespace {

constexpr std::string_view magic = "qfw checkpoint\n", hdf5_magic = "\x89HDF\r\n\x1a\n";
constexpr const char* damaged = "the file is damaged; use another checkpoint";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string header_of(int version, unsigned long long bytes, XXH128_hash_t sum) {
  std::string text = fmt::format("{}version {}\nbytes {}\nxxh3 {:016x}{:016x}\n", magic, version, bytes, sum.high64, sum.low64);
  text += fmt::format("header {:016x}\n", XXH3_64bits(text.data(), text.size()));
  text.resize(checkpoint_header_bytes, '\n');
  return text;
}

/// `said`: the sum that the header gives for what follows.
CheckpointFault fault_of_beginning(std::string_view header, std::uint64_t file_bytes, XXH128_hash_t& said) {
  if (file_bytes == 0) return {.what = "it is empty", .remedy = damaged};
  if (!header.starts_with(magic.substr(0, header.size()))) {
    return {.what = fmt::format("its {} bytes do not begin as one", file_bytes),
            .remedy = "give a checkpoint, as qfw writes them"};
  }
  if (header.size() < checkpoint_header_bytes) {
    return {.what = fmt::format("it was cut: only {} there", counted(file_bytes, "byte is", "bytes are")), .remedy = damaged};
  }
  int version = 0;
  unsigned long long bytes = 0;
  const std::string line(header);  // ends with zero
  if (std::sscanf(line.c_str() + magic.size(), "version %d bytes %llu xxh3 %16lx%16lx", &version, &bytes, &said.high64,
                  &said.low64) != 4 ||
      header_of(version, bytes, said) != header) {
    return {.what = "its header does not fit the header's checksum", .remedy = damaged};
  }
  if (version != checkpoint_version) {
    return {.what = fmt::format("its format is of version {}, this program knows {} and older", version, checkpoint_version),
            .remedy = "use the program that wrote it",
            .other_version = true};
  }
  if (const std::uint64_t there = file_bytes - checkpoint_header_bytes; there != bytes) {
    return {.what = fmt::format("it {}: {} bytes are there, {} were written", there < bytes ? "was cut" : "has grown",
                                file_bytes, bytes + checkpoint_header_bytes),
            .remedy = damaged};
  }
  return {};
}

}  // namespace

std::string checkpoint_header(std::span<const std::byte> contents) {
  return header_of(checkpoint_version, contents.size(), XXH3_128bits(contents.data(), contents.size()));
}

bool is_checkpoint_version_1(std::span<const std::byte> file) { return text_of(file).starts_with(hdf5_magic); }

CheckpointFault fault_of_checkpoint(std::span<const std::byte> begin, std::uint64_t file_bytes) {
  XXH128_hash_t said{};
  return fault_of_beginning(text_of(begin).substr(0, checkpoint_header_bytes), file_bytes, said);
}

CheckpointFault fault_of_checkpoint(std::span<const std::byte> file) {
  XXH128_hash_t said{};
  if (auto fault = fault_of_beginning(text_of(file).substr(0, checkpoint_header_bytes), file.size(), said)) return fault;
  const auto contents = file.subspan(checkpoint_header_bytes);
  if (const XXH128_hash_t sum = XXH3_128bits(contents.data(), contents.size()); !XXH128_isEqual(sum, said)) {
    return {.what = fmt::format("its checksum is {:016x}{:016x}, its contents give {:016x}{:016x}", said.high64, said.low64,
                                sum.high64, sum.low64),
            .remedy = damaged};
  }
  return {};
}

}  // namespace qfw
