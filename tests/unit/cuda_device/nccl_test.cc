// Several devices and a made-up NCCL.
#include "nccl.h"

#include <dlfcn.h>

#include <array>
#include <barrier>
#include <cstring>
#include <string>
#include <thread>

#include "support.h"

namespace qfw::cuda {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// Two replicas, each in a thread of its own.
class Two {
 public:
  class Replica final : public Communicator {
   public:
    Replica(Two& all, int rank) : all_(all), rank_(rank) {}

    int rank() const override { return rank_; }
    int size() const override { return 2; }
    void all_reduce(std::span<float>, Reduction) override {}
    void broadcast(std::span<std::byte> data, int root) override {
      if (rank_ == root) all_.sent_ = data;
      barrier();
      if (rank_ != root) std::memcpy(data.data(), all_.sent_.data(), data.size());
      barrier();
    }
    void barrier() override { all_.barrier_.arrive_and_wait(); }

   private:
    Two& all_;
    int rank_;
  };

  Replica replicas[2]{{*this, 0}, {*this, 1}};

 private:
  std::barrier<> barrier_{2};
  std::span<std::byte> sent_;
};

class Nccl : public testing::Test {
 protected:
  using Collectives = std::array<std::unique_ptr<Collective>, 2>;

  void SetUp() override {
    ASSERT_TRUE(library);
    control = {};
  }
  void TearDown() override {
    connections = {};
    for (const fake::Control* one : {&control, &fakes.driver}) {
      EXPECT_EQ(one->live, 0);
      EXPECT_EQ(one->mistake, "");
    }
  }

  void open(int first, int second) {
    connections = {std::make_shared<const Connection>(fakes.libraries.driver, first),
                   std::make_shared<const Connection>(fakes.libraries.driver, second)};
  }
  /// Of both replicas, or with what they fail.
  Collectives make(const std::array<Library, 2>& libraries, std::array<std::string, 2>& failures) {
    Collectives made;
    Two two;
    const auto one = [&](int i) {
      failures[i] = failure_of([&] { made[i] = make_nccl_collective(libraries[i], connections[i], two.replicas[i]); }).message;
    };
    std::jthread other(one, 1);
    one(0);
    return made;
  }
  Collectives make(const std::array<Library, 2>& libraries) {
    std::array<std::string, 2> failures;
    Collectives made = make(libraries, failures);
    EXPECT_EQ(failures, (std::array<std::string, 2>{}));
    return made;
  }

  Fakes fakes;
  const Library library{::dlopen((qfw::cuda::fakes + "/nccl/libnccl.so.2").c_str(), RTLD_LAZY | RTLD_LOCAL), "libnccl.so.2"};
  fake::Control& control = control_of(library);
  std::array<std::shared_ptr<const Connection>, 2> connections;
};

TEST_F(Nccl, RanksMeetAndReduceInPlace) {
  open(0, 1);
  const Collectives made = make({library, library});
  ASSERT_TRUE(made[0] && made[1]);
  EXPECT_EQ(made[0]->describe(), "NCCL over 2 devices");
  std::byte somewhere[32];
  const std::array pieces{Collective::Piece{somewhere, 5}, Collective::Piece{somewhere + 20, 3}};
  made[1]->all_reduce(Stream::reduce, pieces, Across::sum);
  made[0]->all_reduce(Stream::reduce, std::span(pieces).first(1), Across::mean);
  const auto at = [&](int offset) { return std::to_string(reinterpret_cast<std::uintptr_t>(somewhere + offset)); };
  EXPECT_THAT(control.log, testing::ElementsAre("1: 5 of type 7 by 0 at " + at(0), "1: 3 of type 7 by 0 at " + at(20),
                                                "0: 5 of type 7 by 4 at " + at(0)));
}

TEST_F(Nccl, ReplicasThatShareADeviceReduceOnTheHost) {
  open(1, 1);
  const Collectives made = make({library, library});
  EXPECT_FALSE(made[0] || made[1]);
  EXPECT_EQ(control.calls, 0);
}

TEST_F(Nccl, OneWithoutItSpeaksForAll) {
  open(0, 1);
  const Collectives made = make({library, Library()});
  EXPECT_FALSE(made[0] || made[1]);
  EXPECT_EQ(control.calls, 0);
}

TEST_F(Nccl, WhatFailsIsTold) {
  open(0, 1);
  control.init_status = 5;
  std::array<std::string, 2> failures;
  make({library, library}, failures);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(failures[i], AllOf(HasSubstr("ncclCommInitRank"), HasSubstr("made up by a test"),
                                   HasSubstr(connections[i]->name()), HasSubstr("NCCL_DEBUG=INFO")));
  }
}

}  // namespace
}  // namespace qfw::cuda
