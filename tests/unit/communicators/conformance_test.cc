#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "support.h"

/// What communicator.h promises, of every communicator, and of the interface's own defaults upon one that has only the rest.
namespace qfw {
namespace {

using testing::on_each;
using Reduction = Communicator::Reduction;

/// Hides what `threads` does itself beyond what every communicator must.
class Plain final : public Communicator {
 public:
  explicit Plain(Communicator& inner) : inner_(inner) {}
  explicit Plain(std::unique_ptr<Communicator> first) : owned_(std::move(first)), inner_(*owned_) {
    for (int i = 1; i < inner_.local_size(); ++i) others_.push_back(std::make_unique<Plain>(inner_.local(i)));
  }
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  void all_reduce(std::span<float> data, Reduction how) override { inner_.all_reduce(data, how); }
  void broadcast(std::span<std::byte> data, int root) override { inner_.broadcast(data, root); }
  void barrier() override { inner_.barrier(); }
  int local_size() const override { return inner_.local_size(); }
  Communicator& local(int i) override { return i == 0 ? *this : *others_.at(static_cast<std::size_t>(i) - 1); }
  void abort() noexcept override { inner_.abort(); }

 private:
  std::unique_ptr<Communicator> owned_;
  Communicator& inner_;
  std::vector<std::unique_ptr<Plain>> others_;
};

struct Kind {
  const char* name;
  int replicas;
};

class Communicators : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    const auto [name, count] = GetParam();
    if (name == std::string("single")) {
      all_ = testing::make<Communicator>("single");
    } else {
      all_ = testing::make<Communicator>("threads", {{"replicas", std::int64_t{count}}});
      if (name == std::string("plain")) all_ = std::make_unique<Plain>(std::move(all_));
    }
  }

  std::size_t count() const { return static_cast<std::size_t>(all_->size()); }
  static std::size_t rank_of(const Communicator& replica) { return static_cast<std::size_t>(replica.rank()); }

  /// Values of many magnitudes, so that the order of summation and each rounding show.
  static std::vector<float> values(std::size_t rank, std::size_t count, int round = 0) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto mixed =
          static_cast<std::uint32_t>((i + 1) * 2654435761u + (rank + 1) * 40503u + static_cast<unsigned>(round) * 977u);
      values[i] = std::ldexp(static_cast<float>(mixed % 20011) - 10000.f, static_cast<int>(mixed >> 7) % 24 - 12);
    }
    return values;
  }

  std::unique_ptr<Communicator> all_;
};

HostTensor tensor(std::vector<float>& data) {
  return {{{static_cast<std::int64_t>(data.size())}, DType::f32}, std::as_writable_bytes(std::span(data))};
}
HostTensor tensor(std::vector<BFloat16>& data) {
  return {{{static_cast<std::int64_t>(data.size())}, DType::bf16}, std::as_writable_bytes(std::span(data))};
}

std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  if (!values.empty()) std::memcpy(bits.data(), values.data(), values.size() * sizeof(float));
  return bits;
}

constexpr std::size_t several_chunks = 50'021;

TEST_P(Communicators, ReductionsInFlightHaveTheBitsOfTheBlockingOnes) {
  constexpr std::size_t flights = 5;
  constexpr std::size_t lengths[flights] = {several_chunks, 1, 0, 1000, several_chunks};
  std::vector<std::vector<std::vector<float>>> blocking(count()), started(count());
  const auto errors = on_each(*all_, [&](Communicator& replica) {
    auto &first = blocking[rank_of(replica)], &second = started[rank_of(replica)];
    for (std::size_t i = 0; i < flights; ++i) first.push_back(values(rank_of(replica), lengths[i], static_cast<int>(i)));
    second = first;
    std::vector<Communicator::Ticket> tickets;
    for (std::size_t i = 0; i < flights; ++i) {
      tickets.push_back(replica.start(tensor(second[i]), i % 2 ? Reduction::sum : Reduction::mean));
    }
    replica.barrier();  // other calls go on meanwhile
    for (std::size_t i = 0; i < flights; ++i) replica.all_reduce(first[i], i % 2 ? Reduction::sum : Reduction::mean);
    // Each in an order of its own.
    for (std::size_t i = 0; i < flights; ++i) replica.wait(tickets[(i * 2 + rank_of(replica)) % flights]);
  });
  EXPECT_THAT(errors, ::testing::Each(""));
  for (std::size_t rank = 0; rank < count(); ++rank) {
    for (std::size_t i = 0; i < flights; ++i) {
      EXPECT_EQ(bits(blocking[rank][i]), bits(blocking[0][i])) << "replica " << rank << ", reduction " << i;
      EXPECT_EQ(bits(started[rank][i]), bits(blocking[0][i])) << "replica " << rank << ", reduction " << i;
    }
  }
}

TEST_P(Communicators, SumsAndMeansAreThoseInDoubleByRank) {
  std::vector<std::vector<float>> sums(count()), means(count());
  const auto errors = on_each(*all_, [&](Communicator& replica) {
    auto &sum = sums[rank_of(replica)], &mean = means[rank_of(replica)];
    sum = mean = values(rank_of(replica), several_chunks);
    const auto one = replica.start(tensor(sum), Reduction::sum), other = replica.start(tensor(mean), Reduction::mean);
    replica.wait(one);
    replica.wait(other);
  });
  EXPECT_THAT(errors, ::testing::Each(""));
  std::vector<std::vector<float>> given;
  for (std::size_t rank = 0; rank < count(); ++rank) given.push_back(values(rank, several_chunks));
  for (std::size_t i = 0; i < several_chunks; ++i) {
    double total = 0;
    for (const auto& each : given) total += each[i];
    ASSERT_EQ(sums[0][i], static_cast<float>(total)) << i;
    ASSERT_EQ(means[0][i], static_cast<float>(total / static_cast<double>(count()))) << i;
  }
}

TEST_P(Communicators, Bf16IsWidenedReducedAndRoundedOnce) {
  std::vector<std::vector<float>> wide(count());
  std::vector<std::vector<BFloat16>> narrow(count());
  const auto errors = on_each(*all_, [&](Communicator& replica) {
    auto& mine = narrow[rank_of(replica)];
    for (const float value : values(rank_of(replica), several_chunks)) mine.emplace_back(value);
    mine.emplace_back(rank_of(replica) == 0 ? std::numeric_limits<float>::infinity() : 1.f);
    for (const BFloat16 value : mine) wide[rank_of(replica)].push_back(static_cast<float>(value));
    const auto ticket = replica.start(tensor(mine), Reduction::mean);
    replica.all_reduce(wide[rank_of(replica)], Reduction::mean);
    replica.wait(ticket);
  });
  EXPECT_THAT(errors, ::testing::Each(""));
  for (const auto& each : narrow) {
    for (std::size_t i = 0; i < each.size(); ++i) ASSERT_EQ(each[i].bits, BFloat16(wide[0][i]).bits) << i;
  }
}

TEST_P(Communicators, GatherGivesAllTheBytesOfAllWhateverTheirLengths) {
  std::vector<std::vector<std::vector<std::byte>>> gathered(count());
  const auto errors = on_each(*all_, [&](Communicator& replica) {
    for (int round = 0; round < 20; ++round) {  // a replica that runs ahead must not disturb the others
      const std::vector<std::byte> mine(rank_of(replica) * 3, static_cast<std::byte>(replica.rank() + round));
      gathered[rank_of(replica)] = replica.all_gather(mine);
    }
  });
  EXPECT_THAT(errors, ::testing::Each(""));
  for (const auto& all : gathered) {
    ASSERT_EQ(all.size(), count());
    for (std::size_t rank = 0; rank < all.size(); ++rank)
      EXPECT_EQ(all[rank], std::vector<std::byte>(rank * 3, static_cast<std::byte>(rank + 19)));
  }
}

TEST_P(Communicators, WhatIsNoFloatIsRefused) {
  const auto errors = on_each(*all_, [](Communicator& replica) {
    std::vector<std::int32_t> codes(4);
    replica.wait(replica.start({{{4}, DType::s32}, std::as_writable_bytes(std::span(codes))}, Reduction::sum));
  });
  EXPECT_THAT(errors, ::testing::Each(::testing::HasSubstr("it reduces f32 and bf16, this is s32[4]")));
}

INSTANTIATE_TEST_SUITE_P(All, Communicators,
                         ::testing::Values(Kind{"single", 1}, Kind{"threads", 1}, Kind{"threads", 2}, Kind{"threads", 3},
                                           Kind{"threads", 5}, Kind{"plain", 1}, Kind{"plain", 3}),
                         [](const auto& info) { return info.param.name + std::to_string(info.param.replicas); });

}  // namespace
}  // namespace qfw
