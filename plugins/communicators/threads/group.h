#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

#include "qfw/communicator.h"

namespace qfw::threads {

/// What the replicas of one process share: a place to meet and each one's data.
class Group {
 public:
  explicit Group(int size) : parts_(static_cast<std::size_t>(size)) {}

  int size() const { return static_cast<int>(parts_.size()); }

  /// Every replica forms the sums of its own share of the elements, in double and in the order of ranks, and gives them to all:
  /// so all have the same bits.
  void all_reduce(int rank, std::span<float> data, Communicator::Reduction how);
  void broadcast(int rank, std::span<std::byte> data, int root);
  /// Returns when all replicas have called it; throws on all of them once one has aborted.
  void barrier();
  void abort() noexcept;

 private:
  void publish(int rank, std::span<std::byte> data);

  std::vector<std::span<std::byte>> parts_;  ///< by rank; written before a barrier and read after it
  std::mutex mutex_;
  std::condition_variable all_here_;
  int waiting_ = 0;
  unsigned meeting_ = 0;  ///< counts the barriers passed
  bool aborted_ = false;
};

}  // namespace qfw::threads
