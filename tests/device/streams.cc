// Recorded work against the same work given directly, copies, and copies beside kernels: what is right of them, and how fast it
// is.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "checks.h"
#include "cuda/launch.h"
#include "transfer.h"

namespace device_check {
namespace {

using qfw::cuda::HostMemory;
using qfw::cuda::LaunchShape;

constexpr std::size_t pattern_step = 4099;

void fill(HostMemory& memory, std::size_t bytes, unsigned salt) {
  auto* const words = reinterpret_cast<unsigned*>(memory.data());
  for (std::size_t i = 0; i < bytes / 4; ++i) words[i] = static_cast<unsigned>(i) * 2654435761u + salt;
}

/// Whether the device's memory holds what fill() writes, at some places.
bool holds(Device& device, const DeviceMemory& memory, unsigned salt) {
  const auto words = on_host<unsigned>(device, memory, memory.bytes() / 4);
  for (std::size_t i = 0; i < words.size(); i += pattern_step) {
    if (words[i] != static_cast<unsigned>(i) * 2654435761u + salt) return false;
  }
  return true;
}

}  // namespace

void check_recording(Device& device, const Effort& effort, Report& report) {
  const int count = 1 << 10, launches = effort.whole ? 1000 : 20;
  const auto kernel =
      load(device, qfw::cuda::kernel_source("check_step", "float* x, const float* y, int count",
                                            "const int i = thread_index();\n  if (i < count) x[i] = x[i] * 0.75f + y[i];"));
  const LaunchShape shape = qfw::cuda::one_thread_each(count, "steps");
  const std::vector<float> ones(count, 1.0f);
  const DeviceMemory x = on_device(device, ones), y = on_device(device, ones);
  const auto enqueue = [&] {
    for (int i = 0; i < launches; ++i)
      qfw::cuda::launch(device, *kernel, shape, x.data(), static_cast<const std::byte*>(y.data()), count);
  };
  float expected = 1;
  for (int i = 0; i < 2 * launches; ++i) expected = expected * 0.75f + 1.0f;
  const auto check = [&](const char* name) {
    for (const float found : on_host<float>(device, x, count)) {
      if (found != expected) return report.wrong(name, text_of(found), text_of(expected));
    }
    report.ok(name);
  };

  const auto start = [&] { device.copy(Stream::compute, x.data(), y.data(), y.bytes()); };
  start();
  enqueue();
  enqueue();
  check("launches, direct");
  const auto recording = device.record_all(enqueue);
  start();
  recording->replay();
  recording->replay();
  check("launches, recorded");
  if (!effort.timed) return;
  report.number("a launch, direct", seconds_of(device, 5, enqueue) / launches * 1e6, "us");
  report.number("a launch, recorded", seconds_of(device, 5, [&] { recording->replay(); }) / launches * 1e6, "us");
}

/// What Executable::prefetch relies on: a copy to the device goes on beside a kernel.
void check_overlap(Device& device, const Effort& effort, Report& report) {
  const std::size_t bytes = effort.whole ? std::size_t{256} << 20 : std::size_t{1} << 16;
  HostMemory host(device, bytes);
  fill(host, bytes, 1);
  const DeviceMemory to(device, bytes);
  const auto kernel = load(device, qfw::cuda::kernel_source("check_long", "float* to, int turns",
                                                            R"(float x = static_cast<float>(thread_index());
  for (int i = 0; i < turns; ++i) x = x * 0.5f + 1.0f;
  to[thread_index()] = x;)"));
  const auto blocks = static_cast<unsigned>(device.properties().multiprocessors);
  const DeviceMemory results(device, std::size_t{blocks} * 256 * sizeof(float));
  const auto compute = [&](int turns) {
    qfw::cuda::launch(device, *kernel, LaunchShape{.grid = {blocks, 1, 1}, .block = {256, 1, 1}}, results.data(), turns);
  };
  const auto begun = device.make_event(), copied = device.make_event();
  const auto copy = [&] {
    device.record(Stream::compute, *begun);
    device.wait(Stream::copy, *begun);
    device.copy_in(Stream::copy, to.data(), host.data(), bytes);
    device.record(Stream::copy, *copied);
  };
  copy();
  compute(100);
  device.wait(Stream::compute, *copied);
  device.synchronize(Stream::copy);
  const bool arrived = holds(device, to, 1);
  if (!arrived) return report.wrong("a copy beside a kernel", "other bytes", "those of the host");
  report.ok("a copy beside a kernel");
  if (!effort.timed) return;

  const double copying = seconds_of(device, 5, [&] {
    copy();
    device.wait(Stream::compute, *copied);
  });
  const int probe = 100000;
  compute(probe);
  const double probed = seconds_of(device, 1, [&] { compute(probe); });
  const int turns = std::max(1, static_cast<int>(probe * copying / probed));
  const double computing = seconds_of(device, 5, [&] { compute(turns); });
  const double both = seconds_of(device, 5, [&] {
    copy();
    compute(turns);
    device.wait(Stream::compute, *copied);
  });
  const double share = (copying + computing - both) / std::min(copying, computing);
  report.number("a copy's time that a kernel covers", 100 * share, "%");
  if (share < 0.5) {
    report.wrong("a copy's time that a kernel covers",
                 fmt::format("{:.2f} ms for both, {:.2f} ms for the copy alone, {:.2f} ms for the kernel alone", 1e3 * both,
                             1e3 * copying, 1e3 * computing),
                 "at least half of the shorter one to be covered");
  }
}

void check_copies(Device& device, const Effort& effort, Report& report) {
  const std::size_t bytes = effort.whole ? std::size_t{1} << 30 : std::size_t{1} << 16, part = bytes / 4;
  HostMemory host(device, part);
  fill(host, part, 2);
  const DeviceMemory from(device, bytes), to(device, bytes), small(device, part);
  const auto in = [&] { device.copy_in(Stream::compute, small.data(), host.data(), part); };
  const auto across = [&] { device.copy(Stream::compute, to.data(), from.data(), bytes); };
  in();
  across();
  device.copy(Stream::compute, from.data(), small.data(), part);
  if (holds(device, small, 2)) {
    report.ok("copies to the device");
  } else {
    report.wrong("copies to the device", "other bytes", "those of the host");
  }
  device.copy(Stream::compute, to.data(), from.data(), part);
  device.copy(Stream::compute, small.data(), to.data(), part);
  if (holds(device, small, 2)) {
    report.ok("copies on the device");
  } else {
    report.wrong("copies on the device", "other bytes", "those that were copied");
  }
  if (!effort.timed) return;
  report.number("copy on the device, read and written", 2e-9 * static_cast<double>(bytes) / seconds_of(device, 20, across),
                "GB/s");
  report.number("copy to the device from locked memory", 1e-9 * static_cast<double>(part) / seconds_of(device, 5, in), "GB/s");
}

}  // namespace device_check
