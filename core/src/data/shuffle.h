#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace qfw {

/// The order of `count` examples in an epoch: a permutation that depends on (seed, epoch, count) only.
std::vector<std::uint32_t> shuffled_order(std::uint64_t seed, std::uint64_t epoch, std::uint32_t count);

/// The orders of the epochs in use, each made once. Thread-safe.
class ShuffledOrders {
 public:
  explicit ShuffledOrders(std::uint64_t seed) : seed_(seed) {}
  std::shared_ptr<const std::vector<std::uint32_t>> get(std::uint64_t epoch, std::uint32_t count);

 private:
  struct Entry {
    std::uint64_t epoch = 0;
    std::shared_ptr<const std::vector<std::uint32_t>> order;
  };
  std::uint64_t seed_;
  std::mutex mutex_;
  Entry entries_[2];  ///< by parity: workers are at most in two epochs unless an epoch has less than a few steps
};

}  // namespace qfw
