#include "compiling_device.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "cuda/code.h"
#include "cuda/code_cache.h"
#include "cuda/cudnn.h"
#include "cuda/libraries.h"
#include "cuda/nvrtc.h"
#include "qfw/error.h"
#include "unit/cuda_device/fake/control.h"

namespace compiling {
namespace {

namespace cuda = qfw::cuda;
using cuda::Address;
using cuda::Stream;

struct CompiledFunction final : cuda::Function {
  std::string describe() const override { return "compiled, never run"; }
};

struct NoRecording final : cuda::Recording {
  void replay() override {}
};

struct NoEvent final : cuda::Event {};

/// Where cuDNN is not asked.
struct NoProduct final : cuda::FloatProduct {
  explicit NoProduct(std::shared_ptr<const cuda::CudnnPlan> of) : plan(std::move(of)) {}

  std::size_t workspace_bytes() const override { return plan == nullptr ? 0 : plan->workspace_bytes; }
  std::string describe() const override { return plan == nullptr ? "not asked" : plan->text; }
  void run(Stream, const std::byte*, const std::byte*, Address, Address) override {}

  std::shared_ptr<const cuda::CudnnPlan> plan;
};

cuda::Library opened(const cuda::Wanted& wanted, const std::string& folders = {}) {
  cuda::Surroundings surroundings = cuda::Surroundings::real(folders);
  if (const cuda::Library found = cuda::look_for(wanted, surroundings).found) return found;
  qfw::fail(qfw::Error::Category::device, "compiling", wanted.title + " is not installed here", {}, wanted.install);
}

/// cuDNN makes plans for a device that is described to it once it finds a driver that is no driver.
std::unique_ptr<cuda::CudnnPlans> plans_for(const qfw::test::DescribedDevice& device,
                                            const std::shared_ptr<cuda::CodeCache>& cache) {
  const cuda::Library driver = opened(cuda::wanted_driver(), QFW_FAKE_CUDA);
  FakeControl* get = nullptr;
  driver.bind(get, "fake_control");
  fake::Control& control = *get();
  control.init_status = 34;  // CUDA_ERROR_STUB_LIBRARY
  control.major = device.architecture / 10;
  control.minor = device.architecture % 10;
  control.multiprocessors = device.multiprocessors;
  control.shared_per_block = device.shared_per_block;
  const cuda::CudnnPlans::Target target{.properties = device.json(), .name = device.name, .architecture = device.architecture};
  return std::make_unique<cuda::CudnnPlans>(std::make_shared<const cuda::cudnn::Cudnn>(opened(cuda::wanted_cudnn(0))), target,
                                            cache);
}

class CompilingDevice final : public cuda::Device {
 public:
  explicit CompilingDevice(const Options& options)
      : compiler_(opened(cuda::wanted_compiler(0))),
        cache_(std::make_shared<cuda::CodeCache>(
            cuda::CodeCache::Options{.folder = cuda::CodeCache::default_folder(), .most_bytes = std::uint64_t{4} << 30})),
        target_(compiler_.target(options.device.architecture)) {
    if (options.plans) plans_ = plans_for(options.device, cache_);
    properties_ = {.name = fmt::format("{} (not here)", options.device.name),
                   .versions = "NVRTC " + compiler_.version(),
                   .architecture = options.device.architecture,
                   .multiprocessors = options.device.multiprocessors,
                   .memory_bytes = options.device.memory,
                   .shared_bytes = static_cast<unsigned>(options.device.shared_per_block),
                   .bf16 = options.device.architecture >= 80};
  }

  const Properties& properties() const override { return properties_; }

  Address allocate(std::size_t bytes) override {
    next_ += (bytes + 511) / 256 * 256;
    return reinterpret_cast<Address>(next_);
  }
  void free(Address) noexcept override {}
  std::byte* allocate_host(std::size_t bytes) override { return new std::byte[bytes + 1]{}; }
  void free_host(std::byte* memory) noexcept override { delete[] memory; }
  void copy_in(Stream, Address, const std::byte*, std::size_t) override {}
  void copy_out(Stream, std::byte* to, const std::byte*, std::size_t bytes) override { std::memset(to, 0, bytes); }
  void copy(Stream, Address, const std::byte*, std::size_t) override {}

  std::vector<std::shared_ptr<cuda::Function>> load(std::span<const cuda::KernelSource> sources) override {
    cuda::machine_code(compiler_, *cache_, cuda::device_headers(), sources, target_);
    std::vector<std::shared_ptr<cuda::Function>> functions;
    for (std::size_t i = 0; i < sources.size(); ++i) functions.push_back(std::make_shared<CompiledFunction>());
    return functions;
  }
  void launch(Stream, const cuda::Function&, const cuda::LaunchShape&, std::span<void* const>) override {}

  std::unique_ptr<cuda::Event> make_event() override { return std::make_unique<NoEvent>(); }
  void record(Stream, cuda::Event&) override {}
  void wait(Stream, const cuda::Event&) override {}
  double seconds(const cuda::Event&, const cuda::Event&) override { return 0; }
  void synchronize(Stream) override {}
  std::unique_ptr<cuda::Recording> record_all(const std::function<void()>& enqueue) override {
    enqueue();
    return std::make_unique<NoRecording>();
  }
  std::unique_ptr<cuda::Collective> make_collective(qfw::Communicator&) override { return nullptr; }
  std::unique_ptr<cuda::FloatProduct> make_product(const cuda::ProductShape& shape) override {
    return std::make_unique<NoProduct>(plans_ == nullptr ? nullptr : plans_->find(shape));
  }

 private:
  cuda::Compiler compiler_;
  std::shared_ptr<cuda::CodeCache> cache_;
  int target_;
  std::unique_ptr<cuda::CudnnPlans> plans_;
  Properties properties_;
  std::uintptr_t next_ = 256;  ///< addresses that nobody looks behind
};

}  // namespace

std::unique_ptr<cuda::Device> make_device(const Options& options) { return std::make_unique<CompilingDevice>(options); }

qfw::test::DescribedDevice device_called(std::string_view word) {
  const auto found = std::ranges::find(qfw::test::described_devices, word, &qfw::test::DescribedDevice::word);
  if (found != qfw::test::described_devices.end()) return *found;
  std::vector<std::string> words;
  for (const auto& device : qfw::test::described_devices) words.emplace_back(device.word);
  qfw::fail(qfw::Error::Category::usage, "compiling", fmt::format("no device '{}' is described", word), {},
            fmt::format("there are {}", fmt::join(words, ", ")));
}

}  // namespace compiling
