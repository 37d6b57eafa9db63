#pragma once

#include <memory>
#include <span>
#include <vector>

#include "context.h"
#include "kernel.h"
#include "qfw/communicator.h"
#include "qfw/op.h"

namespace qfw::cuda {

/// Tensors of f32 that are reduced over all replicas in one call while others are computed: by the devices on a stream of its
/// own, where they can (Device::make_collective), else by the communicator in page-locked memory of the host.
class Reduction {
 public:
  Reduction(std::span<const std::size_t> counts, Across how, Communicator& replicas, Context& context);
  Reduction(const Reduction&) = delete;
  Reduction& operator=(const Reduction&) = delete;

  void start(std::span<const std::byte* const> inputs, std::span<const Address> outputs);
  /// Afterwards the compute stream finds the results in the outputs of start().
  void wait();

  bool on_host() const { return collective() == nullptr; }
  std::string describe() const { return context_.reducing(); }  ///< who reduces, for people

 private:
  Collective* collective() const { return context_.collective(replicas_); }
  void start_on_host(std::span<const std::byte* const> inputs);
  void wait_on_host();

  std::vector<std::size_t> counts_;
  std::size_t all_ = 0;  ///< their sum
  Across how_;
  Communicator& replicas_;
  Context& context_;
  std::vector<Address> results_;
  std::vector<Collective::Piece> pieces_;
  std::unique_ptr<Event> ready_, done_;
  HostMemory staging_;
  Communicator::Ticket ticket_;
};

/// As many inputs as outputs.
std::unique_ptr<Kernel> make_reduce_start(std::shared_ptr<Reduction> reduction);
std::unique_ptr<Kernel> make_reduce_wait(std::shared_ptr<Reduction> reduction);

}  // namespace qfw::cuda
