#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "qfw/communicator.h"
#include "qfw/op.h"
#include "qfw/tensor.h"

/// The seam of the backend: everything that it asks of a GPU. Two kinds implement it, CudaDevice (cuda_device.h) and, for tests
/// alone, one that emulates a device on the host (tests/emulated_device); all else is the same code for both.
namespace qfw::cuda {

/// Device memory. Nobody but a Device dereferences it.
using Address = std::byte*;

/// Work of one stream runs in the order in which it was given; streams wait for each other by events alone.
enum class Stream : std::uint8_t { compute, copy, reduce };
inline constexpr int stream_count = 3;

/// Device code in CUDA C++, in the part of the language that NVRTC and g++ share (code/prelude.cuh). `text` may use all that
/// the headers in code/ define; they need not be included. Equal texts are equal code.
struct KernelSource {
  std::string name;  ///< of its one `extern "C" __global__` function; a kernel of another text has another name
  std::string text;
  std::string about{};  ///< for people: its ops
};

/// A compiled kernel.
class Function {
 public:
  Function() = default;
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  virtual ~Function() = default;
  /// Registers a thread, bytes spilled: for people.
  virtual std::string describe() const = 0;
};

struct LaunchShape {
  std::array<unsigned, 3> grid{1, 1, 1}, block{1, 1, 1};
  unsigned shared_bytes = 0;  ///< besides what the kernel declares
  bool barriers = false;      ///< threads of a block or of a warp wait for each other, or exchange values
};

/// A moment in a stream.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  virtual ~Event() = default;
};

/// Work that was recorded instead of done, with the addresses and numbers that it was given.
class Recording {
 public:
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  virtual ~Recording() = default;
  virtual void replay() = 0;  ///< as if it were given to the streams again, beginning in the compute stream
};

/// A convolution of floats or one of its gradients: NHWC, weights HWIO. A dense layer is a convolution of 1 x 1 images.
struct ProductShape {
  enum class Kind : std::uint8_t { forward, grad_src, grad_weights } kind{};
  Conv2d conv;
  Shape src, weights, dst;  ///< of the convolution, whichever of the three it is that is computed
  DType in{}, out{};        ///< of both operands; of the result

  bool operator==(const ProductShape&) const = default;
};

/// How one such product is computed on this device: chosen once, the same bits each time.
class FloatProduct {
 public:
  FloatProduct() = default;
  FloatProduct(const FloatProduct&) = delete;
  FloatProduct& operator=(const FloatProduct&) = delete;
  virtual ~FloatProduct() = default;

  virtual std::size_t workspace_bytes() const = 0;
  virtual std::string describe() const = 0;  ///< engine and workspace, for people and environment.json
  /// Operands in the order of the op's: (src, weights), (gradient of dst, weights) or (src, gradient of dst).
  virtual void run(Stream stream, const std::byte* a, const std::byte* b, Address result, Address workspace) = 0;
};

/// Sums over the devices of all replicas of a run.
class Collective {
 public:
  Collective() = default;
  Collective(const Collective&) = delete;
  Collective& operator=(const Collective&) = delete;
  virtual ~Collective() = default;

  struct Piece {
    Address data = nullptr;  ///< reduced in place
    std::size_t count = 0;   ///< of f32
  };
  /// In the order of the stream; given by all replicas in the same order, which get the same bits.
  virtual void all_reduce(Stream stream, std::span<const Piece> pieces, Across how) = 0;
  virtual std::string describe() const = 0;
};

/// One GPU. Calls come from one thread. Throws Error::Category::device with the call, the driver's reason and the device; what
/// fails later than its call is thrown by the next one that waits.
class Device {
 public:
  struct Properties {
    std::string name;      ///< "NVIDIA H100 80GB HBM3 (0)"
    std::string versions;  ///< of driver and libraries, a line
    int architecture = 0;  ///< 10 * major + minor: 90
    int multiprocessors = 0;
    std::size_t memory_bytes = 0;
    unsigned shared_bytes = 48 << 10;  ///< that one block may have
    bool bf16 = false;                 ///< has products of them
    double clock = 0;                  ///< of the multiprocessors at best, in Hz
    double memory_bandwidth = 0;       ///< bytes a second
  };

  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  virtual const Properties& properties() const = 0;

  /// Aligned to 256 bytes; contents undefined. 0 bytes give an address, too.
  virtual Address allocate(std::size_t bytes) = 0;
  virtual void free(Address address) noexcept = 0;  ///< after all work on it
  /// Host memory that copies run beside other work from and to.
  virtual std::byte* allocate_host(std::size_t bytes) = 0;
  virtual void free_host(std::byte* memory) noexcept = 0;

  // In stream order. Host memory is read and written as late as synchronize().
  virtual void copy_in(Stream stream, Address to, const std::byte* from, std::size_t bytes) = 0;
  virtual void copy_out(Stream stream, std::byte* to, const std::byte* from, std::size_t bytes) = 0;
  virtual void copy(Stream stream, Address to, const std::byte* from, std::size_t bytes) = 0;

  /// Compiles what is new; a function for each source, in their order.
  virtual std::vector<std::shared_ptr<Function>> load(std::span<const KernelSource> sources) = 0;
  /// `arguments` points at the value of each parameter; values are taken before it returns.
  virtual void launch(Stream stream, const Function& function, const LaunchShape& shape, std::span<void* const> arguments) = 0;

  virtual std::unique_ptr<Event> make_event() = 0;
  virtual void record(Stream stream, Event& event) = 0;
  /// What `stream` is given from now on waits for the event as it was recorded last.
  virtual void wait(Stream stream, const Event& event) = 0;
  virtual double seconds(const Event& from, const Event& to) = 0;  ///< of two that were recorded and waited for
  virtual void synchronize(Stream stream) = 0;

  /// Calls `enqueue`, and keeps what it gives to the streams instead of doing it. Other streams wait for the compute stream
  /// before their first work here, and it waits for them in the end, without being told. In `enqueue`, nothing is allocated,
  /// loaded or synchronized, and an event that is waited for was recorded there; it serves nowhere else.
  virtual std::unique_ptr<Recording> record_all(const std::function<void()>& enqueue) = 0;

  /// Called by all replicas at the same time, each from its own thread. Null, for all of them, where their devices cannot
  /// reduce among themselves.
  virtual std::unique_ptr<Collective> make_collective(Communicator& replicas) = 0;

  /// Throws Error::Category::usage, naming types and architecture, where the device has no such product.
  virtual std::unique_ptr<FloatProduct> make_product(const ProductShape& shape) = 0;
};

/// Device memory with an owner.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(Device& device, std::size_t bytes) : device_(&device), data_(device.allocate(bytes)), bytes_(bytes) {}
  DeviceMemory(DeviceMemory&& other) noexcept { swap(other); }
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceMemory() {
    if (device_ != nullptr) device_->free(data_);
  }

  Address data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(DeviceMemory& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  Device* device_ = nullptr;
  Address data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Page-locked host memory with an owner.
class HostMemory {
 public:
  HostMemory() = default;
  HostMemory(Device& device, std::size_t bytes) : device_(&device), data_(device.allocate_host(bytes)) {}
  HostMemory(HostMemory&& other) noexcept { swap(other); }
  HostMemory& operator=(HostMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~HostMemory() {
    if (device_ != nullptr) device_->free_host(data_);
  }

  std::byte* data() const { return data_; }

 private:
  void swap(HostMemory& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
  }

  Device* device_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace qfw::cuda
