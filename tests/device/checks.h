#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cuda/device.h"
#include "report.h"

/// What emulation cannot tell of a GPU: its arithmetic, its instructions, its speed. Everything goes through the seam
/// (cuda/device.h), so that the emulated device runs it, too.
namespace device_check {

struct Effort {
  std::uint32_t every = 1;  ///< of all floats only every so manieth
  bool whole = true;        ///< false: little data, for devices that are slow
  bool timed = true;        ///< false: events do not tell how long something took
};

struct Check {
  std::string_view name;
  void (*run)(qfw::cuda::Device& device, const Effort& effort, Report& report);
};

/// In the order of their worth.
std::span<const Check> checks();

/// Runs them, or those that are named in `only`, separated by commas. A check that throws is wrong.
void run_checks(qfw::cuda::Device& device, const Effort& effort, std::string_view only, Report& report);

// Each a file.
void check_floats(qfw::cuda::Device& device, const Effort& effort, Report& report);
void check_operations(qfw::cuda::Device& device, const Effort& effort, Report& report);
void check_instructions(qfw::cuda::Device& device, const Effort& effort, Report& report);
void check_recording(qfw::cuda::Device& device, const Effort& effort, Report& report);
void check_overlap(qfw::cuda::Device& device, const Effort& effort, Report& report);
void check_copies(qfw::cuda::Device& device, const Effort& effort, Report& report);
void check_products(qfw::cuda::Device& device, const Effort& effort, Report& report);

}  // namespace device_check
