#pragma once

#include <functional>
#include <memory>
#include <string>

#include "context.h"
#include "qfw/backend.h"
#include "qfw/options.h"

namespace qfw::cuda {

/// cuDNN for products of floats, own code for everything else, compiled for the device when a step is made.
class CudaBackend : public Backend {
 public:
  struct Options {
    std::string device = "0";
    std::string libraries;
    std::string launch = "recorded";
    bool tf32 = false;
    bool bf16_weight_gradients = false;
    static void declare(Declare<Options>& option) {
      option("device", &Options::device,
             "number of the GPU, as nvidia-smi counts them; several, as 0,1,2,3, for as many replicas of one process "
             "(communicator threads), each of which takes the next one");
      option("libraries", &Options::libraries,
             "folders, separated by colons, where libcuda, libnvrtc, libcudnn and libnccl are looked for first; then come "
             "QFW_CUDA_LIBRARIES, NVIDIA's packages beside a Python, the system");
      option("launch", &Options::launch,
             "how the kernels of a step are started: recorded once and replayed together, direct, one after the other, or "
             "checked: "
             "each is waited for, slow, so that what fails on the device is named by its layer",
             {.choices = {"recorded", "direct", "checked"}});
      option("tf32", &Options::tf32,
             "products of f32 may round their operands to 10 bits of mantissa (TF32): faster, other bits");
      option(
          "bf16_weight_gradients", &Options::bf16_weight_gradients,
          "under compute = bf16, gradients of weights are rounded to bf16 before the optimizer sees them, as PyTorch's are; "
          "otherwise they stay f32 wherever cuDNN has an engine for it, which it compiles at the first use (seconds for each "
          "shape, then kept)");
    }
  };

  /// Opens a device for these options.
  using Open = std::function<std::unique_ptr<Device>(const Options& options)>;
  CudaBackend(const Options& options, const Open& open);

  std::string describe() const override;
  int threads() const override { return 1; }
  Peak peak() const override;
  double bandwidth() const override { return context_->device().properties().memory_bandwidth; }
  Support supports(const Graph& graph, const Node& node) const override;
  std::vector<std::string> notes(const Graph& training) const override;
  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override;
  void read(std::string_view variable, HostTensor to) const override;
  void write(std::string_view variable, HostView from) override;

 private:
  bool tf32_, bf16_weight_gradients_;
  std::shared_ptr<Context> context_;  // executables may outlive the backend
};

}  // namespace qfw::cuda
