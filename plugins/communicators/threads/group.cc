#include "group.h"

#include <fmt/format.h>

#include <cstring>

#include "qfw/error.h"

namespace qfw::threads {

void Group::barrier() {
  std::unique_lock lock(mutex_);
  const unsigned meeting = meeting_;
  if (!aborted_ && ++waiting_ == size()) {
    waiting_ = 0;
    ++meeting_;
    all_here_.notify_all();
    return;
  }
  all_here_.wait(lock, [&] { return aborted_ || meeting_ != meeting; });
  if (meeting_ == meeting) fail(Error::Category::device, "threads", "another replica of this run could not go on");
}

void Group::abort() noexcept {
  const std::scoped_lock lock(mutex_);
  aborted_ = true;
  all_here_.notify_all();
}

void Group::publish(int rank, std::span<std::byte> data) {
  parts_[static_cast<std::size_t>(rank)] = data;
  barrier();
  for (const auto part : parts_) {  // the same verdict on all
    if (part.size() == parts_[0].size()) continue;
    abort();
    fail(Error::Category::internal, "threads",
         fmt::format("replicas exchange {} and {} bytes in one call", parts_[0].size(), part.size()));
  }
}

void Group::all_reduce(int rank, std::span<float> data, Communicator::Reduction how) {
  publish(rank, std::as_writable_bytes(data));
  const auto count = static_cast<std::size_t>(size()), share = static_cast<std::size_t>(rank);
  const std::size_t begin = data.size() * share / count, end = data.size() * (share + 1) / count;
  const auto part = [&](std::size_t r) { return reinterpret_cast<float*>(parts_[r].data()); };
  for (std::size_t i = begin; i < end; ++i) {
    double total = 0;
    for (std::size_t r = 0; r < count; ++r) total += part(r)[i];
    if (how == Communicator::Reduction::mean) total /= static_cast<double>(count);
    for (std::size_t r = 0; r < count; ++r) part(r)[i] = static_cast<float>(total);
  }
  barrier();
}

void Group::broadcast(int rank, std::span<std::byte> data, int root) {
  publish(rank, data);
  const std::span<std::byte> from = parts_[static_cast<std::size_t>(root)];
  if (rank != root && !data.empty()) std::memcpy(data.data(), from.data(), data.size());
  barrier();
}

}  // namespace qfw::threads
