#include "compiling_device.h"
#include "cuda/backend.h"
#include "qfw/plugin.h"

namespace {

/// The backend `cuda` on a device that is not here, so that its code is compiled beforehand (scripts/bundle.sh).
class CompilingBackend final : public qfw::cuda::CudaBackend {
 public:
  struct Options {
    std::string model = "h100";
    bool plans = false;
    static void declare(qfw::Declare<Options>& option) {
      option("model", &Options::model, "the device: t4, a100, h100, h200 or b200");
      option("plans", &Options::plans, "make cuDNN's plans, too");
    }
  };
  explicit CompilingBackend(const Options& options)
      : CudaBackend({}, [options](const auto&) {
          return compiling::make_device({.device = compiling::device_called(options.model), .plans = options.plans});
        }) {}
};

}  // namespace

QFW_PLUGIN("backend:cuda_compiling", .name = "cuda_compiling", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "compiles what the backend cuda would run, for a device that is not here: for tests and bundles")
(qfw::Registry& registry) { registry.add<CompilingBackend>("cuda_compiling", "computes nothing"); }
