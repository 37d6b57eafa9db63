#include "data/corrupt.h"

#include <fmt/format.h>

#include "io/log.h"

namespace qfw {

void CorruptExamples::met(std::string_view split, std::int64_t index, const Error& error) {
  if (!skip_) throw Error(error);
  const std::lock_guard lock(mutex_);
  if (!known_.emplace(split, index).second) return;
  if (static_cast<std::int64_t>(known_.size()) > limit_) {
    fail(Error::Category::data, "dataset", fmt::format("more than {} corrupt examples; the last one: {}", limit_, error.what()),
         {}, "mend the data set, or raise dataset.max_corrupt");
  }
  logger().warn("skipped: {}", error.what());
  messages_.emplace_back(error.what());
}

std::int64_t CorruptExamples::count() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(known_.size());
}

std::vector<std::string> CorruptExamples::messages() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}

}  // namespace qfw
