#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kernel.h"

namespace qfw::cpu {

/// Tensors of f32 that are reduced over all replicas in one call of the communicator, while others are computed.
class Reduction {
 public:
  Reduction(std::span<const std::size_t> counts, Across how, Communicator& replicas);

  void start(std::span<const void* const> inputs, std::span<void* const> outputs);
  void wait();  ///< afterwards the outputs of start() hold the results

 private:
  std::vector<std::size_t> counts_;
  Communicator::Reduction how_;
  Communicator& replicas_;
  std::vector<float> together_;  ///< of several tensors; one is reduced where its result lies
  std::vector<float*> results_;
  Communicator::Ticket ticket_;
};

/// As many inputs as outputs.
std::unique_ptr<Kernel> make_reduce_start(std::shared_ptr<Reduction> reduction);
std::unique_ptr<Kernel> make_reduce_wait(std::shared_ptr<Reduction> reduction);

}  // namespace qfw::cpu
