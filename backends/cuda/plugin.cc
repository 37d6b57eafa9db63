#include "qfw/plugin.h"

#include "backend.h"
#include "cuda_device.h"
#include "device_list.h"

namespace {

using namespace qfw;

class RealBackend final : public cuda::CudaBackend {
 public:
  using Options = cuda::CudaBackend::Options;
  explicit RealBackend(const Options& options) : CudaBackend(options, &open) {}

 private:
  static std::unique_ptr<cuda::Device> open(const Options& options) {
    const int index = cuda::device_of(options.device, local_replica());
    return std::make_unique<cuda::CudaDevice>(
        cuda::CudaDevice::Options{.index = index,
                                  .libraries = options.libraries,
                                  .tf32 = options.tf32,
                                  .bf16_weight_gradients = options.bf16_weight_gradients});
  }
};

}  // namespace

QFW_PLUGIN("backend:cuda", .name = "cuda", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "training and inference on NVIDIA GPUs, integer convolutions included")
(qfw::Registry& registry) {
  registry.add<RealBackend>("cuda",
                            "cuDNN products of floats, own code for integers and for all between, compiled on the spot");
}
