#include "driver.h"

#include <fmt/format.h>

#include "qfw/error.h"

namespace qfw::cuda::driver {
namespace {

const char* remedy_for(Result result) {
  switch (result) {
    case out_of_memory:
      return "a smaller train.batch_size, or train.recompute = auto with train.memory_limit_mib, needs less; nvidia-smi shows "
             "who "
             "else uses the device";
    case no_device:
      return "nvidia-smi lists the devices there are; CUDA_VISIBLE_DEVICES may hide some";
    case 209:  // CUDA_ERROR_NO_BINARY_FOR_GPU
    case 200:  // CUDA_ERROR_INVALID_IMAGE
      return "driver and NVRTC do not fit each other: update the driver, or install an NVRTC of its CUDA version";
    case 700:  // CUDA_ERROR_ILLEGAL_ADDRESS
    case 715:  // CUDA_ERROR_ILLEGAL_INSTRUCTION
    case 716:  // CUDA_ERROR_MISALIGNED_ADDRESS
    case 719:  // CUDA_ERROR_LAUNCH_FAILED
      return "a kernel that ran before failed, and this process can use the device no longer; "
             "with backend.launch = checked the error names its layer";
    case 802:  // CUDA_ERROR_SYSTEM_NOT_READY
    case 803:  // CUDA_ERROR_SYSTEM_DRIVER_MISMATCH
      return "the driver is not ready, or libcuda is of another version than the kernel's module: see nvidia-smi, or reboot";
    default:
      return "";
  }
}

}  // namespace

Driver::Driver(const Library& library) {
#define QFW_CUDA_BIND(name, parameters) library.bind(name, #name);
  QFW_CUDA_DRIVER_FUNCTIONS(QFW_CUDA_BIND)
#undef QFW_CUDA_BIND
#define QFW_CUDA_BIND(name, parameters) name = reinterpret_cast<decltype(name)>(library.find(#name));
  QFW_CUDA_LATER_DRIVER_FUNCTIONS(QFW_CUDA_BIND)
#undef QFW_CUDA_BIND
}

std::string Driver::reason(Result result) const {
  const char *name = nullptr, *text = nullptr;
  if (cuGetErrorName(result, &name) != success || name == nullptr) return fmt::format("error {}", result);
  if (cuGetErrorString(result, &text) != success || text == nullptr) return name;
  return fmt::format("{}, {}", name, text);
}

void Driver::failed(Result result, std::string_view expression, std::string_view where) const {
  fail(Error::Category::device, "cuda", fmt::format("{} failed: {}", expression, reason(result)), where, remedy_for(result));
}

}  // namespace qfw::cuda::driver
