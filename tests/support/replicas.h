#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "qfw/communicator.h"
#include "qfw/error.h"

namespace qfw::test {

/// As many replicas as asked for, which all hold the same data. A reduction that was started is done as late as may be, in
/// wait(), so that whoever reads earlier sees what was there before.
class EqualReplicas : public Communicator {
 public:
  explicit EqualReplicas(int size = 1) : size_(size) {}

  int rank() const override { return 0; }
  int size() const override { return size_; }
  void all_reduce(std::span<float> data, Reduction how) override {
    ++calls;
    if (how == Reduction::sum) {
      for (float& x : data) x *= static_cast<float>(size_);
    }
  }
  void broadcast(std::span<std::byte>, int) override {}
  void barrier() override {}
  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override {
    return std::vector(static_cast<std::size_t>(size_), std::vector(mine.begin(), mine.end()));
  }

  Ticket start(HostTensor data, Reduction how) override {
    in_flight_.emplace(++started, Work{data, how});
    return {started};
  }
  void wait(Ticket ticket) override {
    const auto found = in_flight_.extract(ticket.number);
    if (!found) fail(Error::Category::internal, "test", "a wait for a reduction that is not under way");
    Communicator::start(found.mapped().data, found.mapped().how);  // calls all_reduce()
  }
  std::size_t in_flight() const { return in_flight_.size(); }

  int calls = 0;              ///< of all_reduce, and reductions waited for
  std::uint64_t started = 0;  ///< reductions

 private:
  struct Work {
    HostTensor data;
    Reduction how;
  };

  int size_;
  std::map<std::uint64_t, Work> in_flight_;
};

}  // namespace qfw::test
