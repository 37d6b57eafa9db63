#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "device.h"
#include "driver.h"

namespace qfw::cuda {

/// A device's primary context and streams. All that is made with them holds it, so that things may go in any order.
class Connection {
 public:
  /// Throws, listing the devices there are, if there is none of that index.
  Connection(const Library& library, int index);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  const driver::Driver& driver() const { return driver_; }
  const std::string& name() const { return name_; }  ///< "NVIDIA H100 80GB HBM3 (0)"
  const std::string& kind() const { return kind_; }  ///< "NVIDIA H100 80GB HBM3"
  int attribute(int which) const;
  std::size_t memory_bytes() const;
  std::string uuid() const;  ///< 16 bytes that no other device has
  driver::StreamHandle stream(Stream stream) const { return streams_[static_cast<std::size_t>(stream)]; }

  /// Calls of this thread mean this device.
  void use() const { QFW_CUDA_CALL(driver_, cuCtxSetCurrent(context_), name_); }
  /// The same where nothing may be thrown; whether it worked.
  bool try_use() const noexcept { return driver_.cuCtxSetCurrent(context_) == driver::success; }

 private:
  void close() noexcept;

  driver::Driver driver_;
  driver::Ordinal device_ = 0;
  driver::Context context_ = nullptr;
  std::string kind_, name_;
  std::array<driver::StreamHandle, stream_count> streams_{};
};

/// Something of the driver's that is given back in the end: by `release`, a function of the driver's.
template <class T, auto release>
class Owned {
 public:
  Owned() = default;
  Owned(std::shared_ptr<const Connection> connection, T handle) : connection_(std::move(connection)), handle_(handle) {}
  Owned(Owned&& other) noexcept : connection_(std::move(other.connection_)), handle_(std::exchange(other.handle_, T{})) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(connection_, other.connection_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Owned() {
    if (handle_ == T{}) return;
    connection_->try_use();
    (connection_->driver().*release)(handle_);
  }

  T get() const { return handle_; }

 private:
  std::shared_ptr<const Connection> connection_;
  T handle_{};
};

using OwnedModule = Owned<driver::Module, &driver::Functions::cuModuleUnload>;
using OwnedEvent = Owned<driver::EventHandle, &driver::Functions::cuEventDestroy_v2>;
using OwnedGraph = Owned<driver::Graph, &driver::Functions::cuGraphDestroy>;
using OwnedGraphExec = Owned<driver::GraphExec, &driver::Functions::cuGraphExecDestroy>;

}  // namespace qfw::cuda
