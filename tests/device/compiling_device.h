#pragma once

#include <memory>

#include "cuda/device.h"
#include "support/described_device.h"

/// A device that is not here, of which only the code is real: what is asked for is compiled for it as it would be there, and
/// kept where a run finds it (CodeCache::default_folder()). It computes nothing; all that is read from it is zero.
namespace compiling {

struct Options {
  qfw::test::DescribedDevice device = qfw::test::h100;
  bool plans = false;  ///< ask cuDNN for its plans, too, which compiles some of them
};

/// Throws where NVRTC is missing, or cuDNN and it is asked for.
std::unique_ptr<qfw::cuda::Device> make_device(const Options& options);

/// By DescribedDevice::word; throws for another.
qfw::test::DescribedDevice device_called(std::string_view word);

}  // namespace compiling
