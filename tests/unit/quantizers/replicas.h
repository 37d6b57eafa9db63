#pragma once

#include <barrier>
#include <memory>
#include <vector>

#include "qfw/communicator.h"

/// Replicas as threads of a test: sums are formed in the order of ranks, so all get the same bits.
namespace qfw::testing {

class Replicas {
 public:
  explicit Replicas(int size) : barrier_(size), parts_(static_cast<std::size_t>(size)) {
    for (int rank = 0; rank < size; ++rank) members_.push_back(std::make_unique<Member>(*this, rank));
  }
  Communicator& at(int rank) { return *members_[static_cast<std::size_t>(rank)]; }

 private:
  class Member final : public Communicator {
   public:
    Member(Replicas& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(all_.parts_.size()); }
    void all_reduce(std::span<float> data, Reduction how) override {
      all_.parts_[static_cast<std::size_t>(rank_)].assign(data.begin(), data.end());
      all_.barrier_.arrive_and_wait();
      for (std::size_t i = 0; i < data.size(); ++i) {
        double total = 0;
        for (const auto& part : all_.parts_) total += part[i];
        data[i] = static_cast<float>(how == Reduction::mean ? total / size() : total);
      }
      all_.barrier_.arrive_and_wait();
    }
    void broadcast(std::span<std::byte>, int) override {}
    void barrier() override { all_.barrier_.arrive_and_wait(); }

   private:
    Replicas& all_;
    int rank_;
  };

  std::barrier<> barrier_;
  std::vector<std::vector<float>> parts_;
  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace qfw::testing
