#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "code_cache.h"
#include "connection.h"
#include "device.h"
#include "libraries.h"
#include "nvrtc.h"

namespace qfw::cuda {

class CudnnPlans;
class CudnnHandle;

/// A GPU of NVIDIA's, through its driver, NVRTC and cuDNN, which are opened at run time (libraries.h).
class CudaDevice final : public Device {
 public:
  struct Options {
    int index = 0;          ///< in the driver's order
    std::string libraries;  ///< folders where NVIDIA's libraries lie, separated by `:`; empty: see libraries.h
    bool tf32 = false;      ///< products of f32 may round their operands to 10 bits
    /// Gradients of weights may be rounded to bf16 where operands are, as PyTorch does. Otherwise they are f32 where cuDNN has
    /// an engine for it, which it compiles when it is needed for the first time (seconds for each shape, then kept).
    bool bf16_weight_gradients = false;
    std::filesystem::path code_folder = CodeCache::default_folder();  ///< of compiled code; empty: keep none
    std::function<void(const std::string& line)> say;                 ///< of what is amiss and no error; left out: stderr
  };
  explicit CudaDevice(const Options& options);
  /// With libraries that are looked for elsewhere.
  CudaDevice(const Options& options, const Surroundings& surroundings);
  ~CudaDevice() override;

  const Properties& properties() const override { return properties_; }

  Address allocate(std::size_t bytes) override;
  void free(Address address) noexcept override;
  std::byte* allocate_host(std::size_t bytes) override;
  void free_host(std::byte* memory) noexcept override;

  void copy_in(Stream stream, Address to, const std::byte* from, std::size_t bytes) override;
  void copy_out(Stream stream, std::byte* to, const std::byte* from, std::size_t bytes) override;
  void copy(Stream stream, Address to, const std::byte* from, std::size_t bytes) override;

  std::vector<std::shared_ptr<Function>> load(std::span<const KernelSource> sources) override;
  void launch(Stream stream, const Function& function, const LaunchShape& shape, std::span<void* const> arguments) override;

  std::unique_ptr<Event> make_event() override;
  void record(Stream stream, Event& event) override;
  void wait(Stream stream, const Event& event) override;
  double seconds(const Event& from, const Event& to) override;
  void synchronize(Stream stream) override;

  std::unique_ptr<Recording> record_all(const std::function<void()>& enqueue) override;
  std::unique_ptr<Collective> make_collective(Communicator& replicas) override;
  std::unique_ptr<FloatProduct> make_product(const ProductShape& shape) override;

 private:
  std::shared_ptr<Function> loaded(const KernelSource& source, const std::string& code) const;

  Libraries libraries_;
  std::shared_ptr<const Connection> connection_;
  Properties properties_;
  Compiler compiler_;
  std::shared_ptr<CodeCache> cache_;
  int target_ = 0;  ///< architecture that code is compiled for
  bool tf32_ = false, bf16_weight_gradients_ = false;
  std::map<std::string, std::weak_ptr<Function>> functions_;  ///< by text
  std::shared_ptr<CudnnHandle> cudnn_;                        ///< from the first product on
  std::unique_ptr<CudnnPlans> plans_;                         ///< made with it
};

}  // namespace qfw::cuda
