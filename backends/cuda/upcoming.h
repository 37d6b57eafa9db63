#pragma once

#include <memory>
#include <span>
#include <vector>

#include "device.h"
#include "qfw/tensor.h"

namespace qfw::cuda {

/// Feeds of a later run, on their way to the device while an earlier one computes: by way of page-locked memory and the copy
/// stream, into memory of their own, where that run takes them from.
class Upcoming {
 public:
  /// Feeds of these sizes; takes memory only when one is expected.
  Upcoming(Device& device, std::vector<std::size_t> sizes);
  Upcoming(const Upcoming&) = delete;
  Upcoming& operator=(const Upcoming&) = delete;
  ~Upcoming();

  /// The run after the next one is fed these; those without bytes are not known.
  void expect(std::span<const HostView> feeds);
  /// Copies a feed to `to` in the compute stream, if it is here. Whether it was.
  bool take(std::size_t feed, const std::byte* source, Address to);
  /// What a run did not take by now is given up.
  void done_taking();
  /// Sends for what the next run is to take: once the work of this one is in the compute stream, which it shall not hold up.
  void send();

 private:
  Device& device_;
  std::vector<std::size_t> sizes_, offsets_;
  std::size_t bytes_ = 0;
  std::vector<const std::byte*> expected_, here_;  ///< the host's bytes; null: none
  HostMemory host_;
  DeviceMemory memory_;
  std::unique_ptr<Event> arrived_;  ///< in memory_, what is here
  std::unique_ptr<Event> taken_;    ///< from there, by the compute stream
};

}  // namespace qfw::cuda
