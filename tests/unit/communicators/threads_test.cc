#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <vector>

#include "support.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::make;
using testing::on_each;

std::unique_ptr<Communicator> replicas(std::int64_t count) { return make<Communicator>("threads", {{"replicas", count}}); }

TEST(Threads, every_replica_knows_its_place) {
  const auto all = replicas(3);
  EXPECT_EQ(all->local_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(all->local(i).rank(), i);
    EXPECT_EQ(all->local(i).size(), 3);
  }
  EXPECT_EQ(&all->local(0), all.get());
  EXPECT_THROW(all->local(3), Error);
  EXPECT_EQ(replicas(1)->local_size(), 1);
}

TEST(Threads, sums_and_means_are_the_same_bits_on_all) {
  const auto all = replicas(3);
  // Values whose float sum would depend on the order: in double, by rank, it is (2^24 + 1) + 1.
  const std::vector<std::vector<float>> given{{16777216.f, 1, 4, 0.1f}, {1, 2, 5, 0.2f}, {1, 3, -9, 0.3f}};
  std::vector<std::vector<float>> sums = given, means = given;
  const auto errors = on_each(*all, [&](Communicator& replica) {
    const auto rank = static_cast<std::size_t>(replica.rank());
    for (int round = 0; round < 50; ++round) {  // a replica that runs ahead must not disturb the others
      sums[rank] = given[rank];
      means[rank] = given[rank];
      replica.all_reduce(sums[rank], Communicator::Reduction::sum);
      replica.all_reduce(means[rank], Communicator::Reduction::mean);
    }
  });
  EXPECT_THAT(errors, ::testing::Each(""));
  const std::vector<float> sum{16777218.f, 6, 0, static_cast<float>(double{0.1f} + double{0.2f} + double{0.3f})};
  for (const auto& each : sums) EXPECT_EQ(each, sum);
  for (const auto& each : means)
    EXPECT_EQ(each,
              (std::vector<float>{5592406.f, 2, 0, static_cast<float>((double{0.1f} + double{0.2f} + double{0.3f}) / 3)}));
}

TEST(Threads, few_elements_and_none_are_reduced_too) {
  const auto all = replicas(4);
  const auto errors = on_each(*all, [](Communicator& replica) {
    std::vector<float> none, one{static_cast<float>(replica.rank())};
    replica.all_reduce(none, Communicator::Reduction::sum);
    replica.all_reduce(one, Communicator::Reduction::sum);
    if (one[0] != 6) fail(Error::Category::internal, "test", std::to_string(one[0]));
  });
  EXPECT_THAT(errors, ::testing::Each(""));
}

TEST(Threads, broadcast_copies_from_its_root) {
  const auto all = replicas(3);
  std::vector<std::vector<std::byte>> data(3, std::vector<std::byte>(5));
  const auto errors = on_each(*all, [&](Communicator& replica) {
    auto& mine = data[static_cast<std::size_t>(replica.rank())];
    std::ranges::fill(mine, static_cast<std::byte>(replica.rank() + 1));
    replica.broadcast(mine, 1);
    replica.barrier();
  });
  EXPECT_THAT(errors, ::testing::Each(""));
  for (const auto& each : data) EXPECT_EQ(each, std::vector<std::byte>(5, std::byte{2}));
}

TEST(Threads, a_replica_that_fails_wakes_the_others) {
  const auto all = replicas(3);
  const auto errors = on_each(*all, [](Communicator& replica) {
    std::vector<float> data(3);
    replica.all_reduce(data, Communicator::Reduction::sum);
    if (replica.rank() == 1) fail(Error::Category::data, "test", "mine");
    replica.all_reduce(data, Communicator::Reduction::sum);
  });
  EXPECT_THAT(errors[1], HasSubstr("mine"));
  for (const int rank : {0, 2})
    EXPECT_THAT(errors[static_cast<std::size_t>(rank)], HasSubstr("another replica of this run could not go on"));
}

TEST(Threads, sizes_that_differ_are_an_error_on_all) {
  const auto all = replicas(2);
  const auto errors = on_each(*all, [](Communicator& replica) {
    std::vector<float> data(static_cast<std::size_t>(replica.rank() + 1));
    replica.all_reduce(data, Communicator::Reduction::sum);
  });
  EXPECT_THAT(errors, ::testing::Each(
                          AllOf(HasSubstr("all_reduce(f32, sum) of 4 bytes"), HasSubstr("all_reduce(f32, sum) of 8 bytes"))));
}

TEST(Threads, calls_that_differ_are_an_error_on_all) {
  for (int kind = 0; kind < 4; ++kind) {
    const auto all = replicas(2);
    const auto errors = on_each(*all, [&](Communicator& replica) {
      std::vector<float> data(4);
      if (replica.rank() == 0) return replica.all_reduce(data, Communicator::Reduction::sum);
      if (kind == 0) return replica.all_reduce(data, Communicator::Reduction::mean);
      if (kind == 1) return replica.barrier();
      if (kind == 2) return replica.broadcast(std::as_writable_bytes(std::span(data)), 0);
      replica.all_gather({});
    });
    EXPECT_THAT(errors, ::testing::Each(HasSubstr("replicas meet in different calls"))) << kind;
  }
}

HostTensor tensor(std::vector<float>& data) {
  return {{{static_cast<std::int64_t>(data.size())}, DType::f32}, std::as_writable_bytes(std::span(data))};
}

TEST(Threads, a_started_reduction_is_done_while_its_replicas_do_something_else) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "it looks at data that is being reduced";
#endif
  const auto all = replicas(2);
  std::vector<std::vector<float>> data(2, std::vector<float>(100'000, 1.f));
  for (int i = 0; i < 2; ++i) all->local(i).start(tensor(data[static_cast<std::size_t>(i)]), Communicator::Reduction::sum);
  // Nobody waits for it. The last element is the last to be written.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::atomic_ref(data[1].back()).load() != 2.f && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  EXPECT_EQ(std::atomic_ref(data[1].back()).load(), 2.f);
}

TEST(Threads, a_replica_that_fails_wakes_those_that_wait_for_reductions_in_flight) {
  for (int round = 0; round < 50; ++round) {
    const auto all = replicas(3);
    const auto errors = on_each(*all, [&](Communicator& replica) {
      std::vector<float> first(100'000, 1.f), second(100'000, 1.f);  // gone with the error: nobody may touch them then
      const auto one = replica.start(tensor(first), Communicator::Reduction::sum);
      if (replica.rank() == 1) {
        try {
          fail(Error::Category::data, "test", "mine");
        } catch (const Error&) {
          replica.abort();
          throw;
        }
      }
      const auto other = replica.start(tensor(second), Communicator::Reduction::sum);
      replica.wait(one);
      replica.wait(other);
    });
    EXPECT_THAT(errors[1], HasSubstr("mine"));
    for (const int rank : {0, 2})
      EXPECT_THAT(errors[static_cast<std::size_t>(rank)], HasSubstr("another replica of this run could not go on"));
  }
}

TEST(Threads, a_ticket_is_waited_for_once) {
  const auto all = replicas(1);
  std::vector<float> data(3);
  const auto ticket = all->start(tensor(data), Communicator::Reduction::sum);
  all->wait(ticket);
  EXPECT_THROW(all->wait(ticket), Error);
  EXPECT_THROW(all->wait({77}), Error);
}

TEST(Single, is_alone) {
  const auto single = make<Communicator>("single");
  EXPECT_EQ(single->local_size(), 1);
  EXPECT_EQ(&single->local(0), single.get());
  EXPECT_THROW(single->local(1), Error);
}

}  // namespace
}  // namespace qfw
