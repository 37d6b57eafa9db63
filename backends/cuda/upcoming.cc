#include "upcoming.h"

#include <algorithm>
#include <cstring>

namespace qfw::cuda {

Upcoming::Upcoming(Device& device, std::vector<std::size_t> sizes)
    : device_(device), sizes_(std::move(sizes)), expected_(sizes_.size()), here_(sizes_.size()) {
  for (const std::size_t size : sizes_) {
    offsets_.push_back(bytes_);
    bytes_ += (size + 255) / 256 * 256;
  }
}

Upcoming::~Upcoming() {
  if (arrived_ == nullptr) return;
  try {
    device_.synchronize(Stream::copy);  // it may still read the host's memory
  } catch (...) {                       // the device is lost, and with it what it would have read
  }
}

void Upcoming::expect(std::span<const HostView> feeds) {
  for (std::size_t i = 0; i < feeds.size(); ++i) expected_[i] = feeds[i].bytes.empty() ? nullptr : feeds[i].bytes.data();
  if (arrived_ != nullptr) return;
  host_ = HostMemory(device_, bytes_);
  memory_ = DeviceMemory(device_, bytes_);
  taken_ = device_.make_event();
  arrived_ = device_.make_event();
}

bool Upcoming::take(std::size_t feed, const std::byte* source, Address to) {
  if (here_[feed] == nullptr || here_[feed] != source) return false;
  device_.wait(Stream::compute, *arrived_);
  device_.copy(Stream::compute, to, memory_.data() + offsets_[feed], sizes_[feed]);
  return true;
}

void Upcoming::done_taking() {
  std::ranges::fill(here_, nullptr);
  if (taken_ != nullptr) device_.record(Stream::compute, *taken_);
}

void Upcoming::send() {
  here_.swap(expected_);
  std::ranges::fill(expected_, nullptr);
  if (std::ranges::all_of(here_, [](const std::byte* source) { return source == nullptr; })) return;
  device_.synchronize(Stream::copy);  // has read what was sent before
  device_.wait(Stream::copy, *taken_);
  for (std::size_t i = 0; i < here_.size(); ++i) {
    if (here_[i] == nullptr) continue;
    std::memcpy(host_.data() + offsets_[i], here_[i], sizes_[i]);
    device_.copy_in(Stream::copy, memory_.data() + offsets_[i], host_.data() + offsets_[i], sizes_[i]);
  }
  device_.record(Stream::copy, *arrived_);
}

}  // namespace qfw::cuda
