#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "device.h"

namespace qfw::cuda {

/// One piece of work of a compiled step: dense row-major tensors in, dense row-major tensors out, all in device memory.
class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  virtual const char* kind() const = 0;                      ///< under which profiles count it; a literal
  virtual std::string implementation() const { return {}; }  ///< for people: which of several ways it works
  /// Whether that output may lie where that input lies.
  virtual bool in_place(int /*input*/, int /*output*/) const { return false; }
  /// Memory that it needs while it runs, shared by all kernels of a program that run one after the other.
  virtual std::size_t scratch_bytes() const { return 0; }
  /// Whether the host takes part in the work, so that it cannot be recorded.
  virtual bool on_host() const { return false; }
  /// What the next calls of enqueue() will be given, before the first of them: a kernel that keeps addresses in device memory
  /// writes them there.
  virtual void point(std::span<const std::byte* const> /*inputs*/, std::span<const Address> /*outputs*/, Address /*scratch*/) {}
  /// Gives its work to the compute stream and returns; may be called again with other addresses.
  virtual void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) = 0;
};

}  // namespace qfw::cuda
