#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "cuda/device.h"

namespace device_check {

using qfw::cuda::Device;
using qfw::cuda::DeviceMemory;
using qfw::cuda::Stream;

/// A copy on the device.
template <class T>
DeviceMemory on_device(Device& device, const std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  DeviceMemory memory(device, values.size() * sizeof(T));
  device.copy_in(Stream::compute, memory.data(), reinterpret_cast<const std::byte*>(values.data()), memory.bytes());
  device.synchronize(Stream::compute);
  return memory;
}

/// The first `count` values there, once what the compute stream was given is done.
template <class T>
std::vector<T> on_host(Device& device, const DeviceMemory& memory, std::size_t count) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::vector<T> values(count);
  device.copy_out(Stream::compute, reinterpret_cast<std::byte*>(values.data()), memory.data(), count * sizeof(T));
  device.synchronize(Stream::compute);
  return values;
}

inline std::shared_ptr<qfw::cuda::Function> load(Device& device, const qfw::cuda::KernelSource& source) {
  return device.load({&source, 1}).front();
}

/// Seconds that the compute stream needs for what `enqueue` gives it, repeated `times` times.
template <class Enqueue>
double seconds_of(Device& device, int times, const Enqueue& enqueue) {
  const auto begin = device.make_event(), end = device.make_event();
  device.synchronize(Stream::compute);
  device.record(Stream::compute, *begin);
  for (int i = 0; i < times; ++i) enqueue();
  device.record(Stream::compute, *end);
  device.synchronize(Stream::compute);
  return device.seconds(*begin, *end) / times;
}

}  // namespace device_check
