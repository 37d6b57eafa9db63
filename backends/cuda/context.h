#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "device.h"
#include "loader.h"
#include "qfw/graph.h"
#include "qfw/lowering/target.h"
#include "qfw/lowering/variables.h"

namespace qfw::cuda {

const lowering::Target& target();

/// How the kernels of a step are started.
enum class Launching {
  recorded,  ///< all at once: a step is one recording, or several where the host has work between them
  direct,    ///< one after the other
  checked    ///< each is waited for, so that what fails is named by its layer
};

/// What a step is told besides its feeds, as it lies in device memory.
struct StepData {
  std::uint64_t seed = 0;
  std::int64_t index = 0;
  float value = 0;  ///< of Op::step
};

/// What the executables and kernels of one backend share; it outlives them. Not thread-safe: their calls do not overlap.
class Context {
 public:
  Context(std::unique_ptr<Device> device, Launching launching);

  Device& device() { return *device_; }
  Loader& loader() { return loader_; }
  lowering::Variables& variables() { return variables_; }
  Launching launching() const { return launching_; }

  /// Both may move what lies there; executables find that by the generation.
  void reserve(std::size_t arena_bytes, std::size_t scratch_bytes);
  int generation() const { return generation_; }
  Address arena() const { return arena_.data(); }
  Address scratch() const { return scratch_.data(); }
  Address step() const { return step_.data(); }  ///< a StepData, written before each run

  /// What the device reduces with over all replicas; null: the host does. Made once, by all replicas at the same time.
  Collective* collective(Communicator& replicas);
  /// What it is, for people; known from then on.
  std::string reducing() const;

  /// On the device, once for all who have it.
  std::shared_ptr<const DeviceMemory> tensor(const ConstantTensor& tensor);
  /// Copies and waits.
  void write(Address to, std::span<const std::byte> from);

 private:
  std::unique_ptr<Device> device_;
  Launching launching_;
  Loader loader_{*device_};
  std::vector<DeviceMemory> slabs_;
  lowering::Variables variables_{target(), [this](std::size_t bytes) { return slabs_.emplace_back(*device_, bytes).data(); }};
  DeviceMemory arena_, scratch_, step_;
  int generation_ = 0;
  bool has_met_replicas_ = false;
  std::unique_ptr<Collective> collective_;
  std::map<const void*, std::weak_ptr<const DeviceMemory>> tensors_;  ///< by the host's bytes
};

}  // namespace qfw::cuda
