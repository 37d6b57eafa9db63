// The device check of an NVIDIA GPU: `device_check`, `device_check --device=1`.
#include <string>

#include "cuda/cuda_device.h"
#include "cuda/device_list.h"
#include "main.h"

int main(int count, char** arguments) {
  return device_check::run_program({arguments + 1, arguments + count}, [](const device_check::Chosen& chosen) {
    const int index = qfw::cuda::device_of(chosen.device.empty() ? "0" : chosen.device, {});
    return std::make_unique<qfw::cuda::CudaDevice>(
        qfw::cuda::CudaDevice::Options{.index = index, .libraries = chosen.libraries});
  });
}
