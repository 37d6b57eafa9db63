#include "qfw/plugin.h"

#include "cuda/backend.h"
#include "emulated_device.h"

namespace {

/// The backend `cuda`, but for what is below the seam.
class EmulatedBackend final : public qfw::cuda::CudaBackend {
 public:
  using Options = qfw::cuda::CudaBackend::Options;
  explicit EmulatedBackend(const Options& options)
      : CudaBackend(options, [](const Options& chosen) {
          return emulated::make_device({.collective = chosen.device != "0,0"});  // as where replicas share a device
        }) {}
};

}  // namespace

QFW_PLUGIN("backend:cuda_emulated", .name = "cuda_emulated", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "the backend cuda on a device that is emulated on the host: for tests")
(qfw::Registry& registry) { registry.add<EmulatedBackend>("cuda_emulated", "a GPU's code on the host, hostile and slow"); }
