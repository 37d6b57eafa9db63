#pragma once

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>

#include "data/dataset_view.h"

namespace qfw {

/// Keeps the bytes of examples once read, encoded as they are, until a budget is spent; the rest is read every time. What is
/// kept is not thrown out again: every epoch reads every example once, so nothing is more worth keeping than what is there.
class MemoryCache final : public DatasetView {
 public:
  MemoryCache(std::unique_ptr<Dataset> inner, std::int64_t budget) : DatasetView(std::move(inner)), budget_(budget) {}

  Example get(std::string_view split, std::int64_t index) const override;
  std::int64_t bytes() const { return bytes_; }  ///< kept

 private:
  struct Shard {
    std::mutex mutex;
    std::map<std::string, std::unordered_map<std::int64_t, Example>, std::less<>> kept;  ///< by split and index
  };
  Example keep(const Example& example, std::size_t bytes) const;

  const std::int64_t budget_;
  mutable std::atomic<std::int64_t> bytes_ = 0;
  mutable std::array<Shard, 64> shards_;
};

}  // namespace qfw
