#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "checks.h"
#include "cuda/device.h"

namespace device_check {

/// What the arguments say of the device.
struct Chosen {
  std::string device, libraries;
  bool plans = false;
};

/// The program: runs the checks and prints a line for each. Exit status 0: all right, 1: something is wrong, 2: wrong usage,
/// 3: there is no such device, for the reason that `open` throws.
int run_program(std::span<const char* const> arguments,
                const std::function<std::unique_ptr<qfw::cuda::Device>(const Chosen& chosen)>& open, Effort effort = {});

}  // namespace device_check
