#include "data/memory_cache.h"

#include <cstring>

namespace qfw {

Example MemoryCache::get(std::string_view split, std::int64_t index) const {
  Shard& shard = shards_[static_cast<std::size_t>(index) % shards_.size()];
  {
    const std::lock_guard lock(shard.mutex);
    const auto of_split = shard.kept.find(split);
    if (of_split != shard.kept.end()) {
      if (const auto found = of_split->second.find(index); found != of_split->second.end()) return found->second;
    }
  }
  Example example = inner().get(split, index);
  const std::size_t bytes = example.bytes.size() + example.name.size();
  if (bytes_.fetch_add(static_cast<std::int64_t>(bytes)) + static_cast<std::int64_t>(bytes) > budget_) {
    bytes_.fetch_sub(static_cast<std::int64_t>(bytes));
    return example;
  }
  example = keep(example, bytes);
  const std::lock_guard lock(shard.mutex);
  const auto [entry, fresh] = shard.kept[std::string(split)].emplace(index, example);
  if (!fresh) bytes_.fetch_sub(static_cast<std::int64_t>(bytes));  // another thread was faster
  return entry->second;
}

/// A copy that owns its bytes.
Example MemoryCache::keep(const Example& example, std::size_t bytes) const {
  const std::shared_ptr<std::byte[]> memory(new std::byte[bytes]);
  std::memcpy(memory.get(), example.bytes.data(), example.bytes.size());
  std::memcpy(memory.get() + example.bytes.size(), example.name.data(), example.name.size());
  Example kept = example;
  kept.bytes = {memory.get(), example.bytes.size()};
  kept.name = {reinterpret_cast<const char*>(memory.get()) + example.bytes.size(), example.name.size()};
  kept.owner = memory;
  return kept;
}

}  // namespace qfw
