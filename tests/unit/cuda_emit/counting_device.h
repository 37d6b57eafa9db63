#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/program.h"

namespace qfw::cuda::testing {

/// A device that does nothing: addresses without memory, launches that are counted, by kernel.
class CountingDevice final : public Device {
 public:
  explicit CountingDevice(int architecture = 90) {
    properties_ = {.name = "counts",
                   .versions = {},
                   .architecture = architecture,
                   .multiprocessors = 132,
                   .memory_bytes = {},
                   .bf16 = true};
  }

  std::map<std::string, int> launches;  ///< of each kernel
  int products = 0, copies = 0;
  std::vector<KernelSource> loaded;

  const Properties& properties() const override { return properties_; }
  Address allocate(std::size_t bytes) override {
    const Address here = next_;
    next_ += (bytes + 256) / 256 * 256;
    return here;
  }
  void free(Address) noexcept override {}
  std::byte* allocate_host(std::size_t bytes) override { return new std::byte[bytes + 1]; }
  void free_host(std::byte* memory) noexcept override { delete[] memory; }
  void copy_in(Stream, Address, const std::byte*, std::size_t) override {}
  void copy_out(Stream, std::byte*, const std::byte*, std::size_t) override {}
  void copy(Stream, Address, const std::byte*, std::size_t) override { ++copies; }

  std::vector<std::shared_ptr<Function>> load(std::span<const KernelSource> sources) override {
    std::vector<std::shared_ptr<Function>> functions;
    for (const KernelSource& source : sources) {
      loaded.push_back(source);
      functions.push_back(std::make_shared<Named>(source.name));
    }
    return functions;
  }
  void launch(Stream, const Function& function, const LaunchShape&, std::span<void* const>) override {
    ++launches[function.describe()];
  }

  std::unique_ptr<Event> make_event() override { return std::make_unique<Event>(); }
  void record(Stream, Event&) override {}
  void wait(Stream, const Event&) override {}
  double seconds(const Event&, const Event&) override { return 0; }
  void synchronize(Stream) override {}
  std::unique_ptr<Recording> record_all(const std::function<void()>& enqueue) override {
    enqueue();
    return nullptr;
  }
  std::unique_ptr<Collective> make_collective(Communicator&) override { return nullptr; }
  std::unique_ptr<FloatProduct> make_product(const ProductShape&) override { return std::make_unique<Product>(products); }

 private:
  struct Named final : Function {
    explicit Named(std::string of) : name(std::move(of)) {}
    std::string describe() const override { return name; }
    std::string name;
  };
  struct Product final : FloatProduct {
    explicit Product(int& of) : count(of) {}
    std::size_t workspace_bytes() const override { return 0; }
    std::string describe() const override { return "counted"; }
    void run(Stream, const std::byte*, const std::byte*, Address, Address) override { ++count; }
    int& count;
  };

  Properties properties_;
  Address next_ = reinterpret_cast<Address>(std::uintptr_t{1} << 40);
};

/// A graph as the backend compiles it, on such a device.
class Counted {
 public:
  Counted(const Graph& graph, Communicator& replicas, int architecture = 90)
      : device_(new CountingDevice(architecture)),
        context_(std::unique_ptr<Device>(device_), Launching::direct),
        program(compile(graph, context_, replicas)) {}

  const CountingDevice& device() const { return *device_; }

  void run() {
    for (const Instruction& instruction : program.instructions) {
      const std::vector<const std::byte*> inputs(instruction.inputs.size());
      std::vector<Address> outputs;  // none of them an input
      for (std::size_t i = 0; i < instruction.outputs.size(); ++i) outputs.push_back(context_.arena());
      instruction.kernel->enqueue(inputs, outputs, context_.scratch());
    }
  }

 private:
  CountingDevice* device_;  // the context's
  Context context_;

 public:
  const Program program;
};

}  // namespace qfw::cuda::testing
