#include "data/shuffle.h"

#include <numeric>
#include <utility>

#include "qfw/random.h"

namespace qfw {

std::vector<std::uint32_t> shuffled_order(std::uint64_t seed, std::uint64_t epoch, std::uint32_t count) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  // A stream of its own: augmentation uses (seed, epoch, index), and no index is as large as this hash.
  RandomStream random(seed, epoch, hash_of("shuffle"));
  for (std::uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

std::shared_ptr<const std::vector<std::uint32_t>> ShuffledOrders::get(std::uint64_t epoch, std::uint32_t count) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[epoch % 2];
  if (!entry.order || entry.epoch != epoch) {
    entry.order = std::make_shared<const std::vector<std::uint32_t>>(shuffled_order(seed_, epoch, count));
    entry.epoch = epoch;
  }
  return entry.order;
}

}  // namespace qfw
