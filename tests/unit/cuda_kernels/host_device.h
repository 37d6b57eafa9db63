#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernel.h"
#include "cuda/loader.h"
#include "host_code.h"
#include "qfw/op_definition.h"

namespace qfw::cuda::test {

/// As much of a device as kernels need: functions, launches at once, copies. Kernels of a test program are compiled together,
/// and kept, as soon as one is launched.
class HostDevice : public Device {
 public:
  explicit HostDevice(int architecture, int multiprocessors = 4, emulated::Schedule schedule = emulated::Schedule::in_step);

  const Properties& properties() const override { return properties_; }
  std::vector<std::shared_ptr<Function>> load(std::span<const KernelSource> sources) override;
  void launch(Stream, const Function& function, const LaunchShape& shape, std::span<void* const> arguments) override;
  void copy(Stream, Address to, const std::byte* from, std::size_t bytes) override;

  Address allocate(std::size_t) override { return none(); }
  void free(Address) noexcept override {}
  std::byte* allocate_host(std::size_t) override { return none(); }
  void free_host(std::byte*) noexcept override {}
  void copy_in(Stream, Address, const std::byte*, std::size_t) override { none(); }
  void copy_out(Stream, std::byte*, const std::byte*, std::size_t) override { none(); }
  std::unique_ptr<Event> make_event() override { return none(), nullptr; }
  void record(Stream, Event&) override { none(); }
  void wait(Stream, const Event&) override { none(); }
  double seconds(const Event&, const Event&) override { return none(), 0; }
  void synchronize(Stream) override {}
  std::unique_ptr<Recording> record_all(const std::function<void()>&) override { return none(), nullptr; }
  std::unique_ptr<Collective> make_collective(Communicator&) override { return none(), nullptr; }
  std::unique_ptr<FloatProduct> make_product(const ProductShape&) override { return none(), nullptr; }

  std::vector<KernelSource> loaded;  ///< all there were, each once
  int launches = 0;

 private:
  static std::byte* none();

  Properties properties_;
  emulated::Schedule schedule_;
};

/// A kernel whose functions are loaded.
template <class K>
class Loaded {
 public:
  template <class... Arguments>
  explicit Loaded(Device& device, const Arguments&... arguments) : loader_(device), kernel_(loader_, arguments...) {
    loader_.load();
  }
  K& operator*() { return kernel_; }
  K* operator->() { return &kernel_; }

 private:
  Loader loader_;
  K kernel_;
};

/// What makes the kernels that a file of tests launches, on one device: so that all are known before the first is compiled.
struct Makes {
  explicit Makes(std::function<void(Device&)> make);
};
/// The kernels of all tests for one architecture.
std::vector<KernelSource> kernels_of(int architecture);

/// 61: dot products of bytes; 75: tensor cores; 90: asynchronous copies and larger steps.
inline constexpr int architectures[] = {61, 75, 90};

/// Memory that nothing before or behind it may touch: whole pages between two that cannot be read; bytes between its end and
/// the second one, fewer than 16 as it is aligned, are to stay as they are.
class Guarded {
 public:
  explicit Guarded(std::size_t bytes, int fill = 0xa5);
  explicit Guarded(std::span<const std::byte> bytes);
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded();

  std::byte* data() const { return data_; }
  std::vector<std::byte> bytes() const { return {data_, data_ + bytes_}; }
  bool intact() const;

 private:
  std::size_t bytes_, mapped_ = 0;
  std::byte *begin_ = nullptr, *data_ = nullptr;
};

using Bytes = std::vector<std::byte>;

/// Random codes, all values of the type.
Bytes random_codes(std::size_t count, unsigned seed);

/// The first result of the op's reference kernel.
Bytes reference(Op op, const Attributes& attributes, std::span<const TensorType> types, std::span<const Bytes> inputs,
                TensorType* result = nullptr);

/// Runs a kernel with one result of so many bytes, between guards.
Bytes run(Kernel& kernel, std::span<const Bytes> inputs, std::size_t bytes);

}  // namespace qfw::cuda::test
