#include "run/cores.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "support/files.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

class CoresTest : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) const {
    const fs::path whole = folder_.path() / path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text << '\n';
  }
  static std::string stat_line(int number, int nice) {
    return fmt::format("{} (a ) name) S 1 1 1 0 -1 4194304 100 0 0 0 5 6 0 0 20 {} 3 0 1234", number, nice);
  }
  /// What the kernel says of a thread, in seconds.
  void thread(int number, double ran, double waited, int nice = 0) const {
    put(fmt::format("self/task/{}/schedstat", number), fmt::format("{:.0f} {:.0f} 77", ran * 1e9, waited * 1e9));
    put(fmt::format("self/task/{}/stat", number), stat_line(number, nice));
    put("self/stat", stat_line(1, 0));
  }
  /// Seconds of two processors; 2 and 3 are not for this process.
  void processors(double busy, double idle) const {
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK)) / 2;
    std::string text = "cpu  1 2 3 4 5 6 7 8 9 10\n";
    for (int number = 0; number < 4; ++number) {
      const double share = number < 2 ? 1 : 100;
      text += fmt::format("cpu{} {:.0f} 0 0 {:.0f} 0 0 0 0 0 0\n", number, share * busy * ticks, share * idle * ticks);
    }
    put("stat", text + "intr 12345");
  }
  CoresHad cores(int threads = 2) const { return CoresHad(threads, folder_.path(), {0, 1}); }

  const test::TemporaryFolder folder_;
  const CoresHad::Clock::time_point start_{seconds(1000)};
};

TEST_F(CoresTest, ThreadsHadTheShareOfTimeThatTheyDidNotWait) {
  CoresHad had = cores();
  thread(10, 5, 1);
  thread(11, 5, 1);
  had.go_on(start_);
  thread(10, 14, 2);
  thread(11, 11, 5);
  thread(12, 100, 100);  // is not known from before
  had.glance(start_ + seconds(10));
  EXPECT_DOUBLE_EQ(had.average().value(), 2 * 15.0 / 20);
  EXPECT_EQ(had.recent(), std::nullopt);
  EXPECT_EQ(had.decoding(), 0);
}

TEST_F(CoresTest, DecodingThreadsDoNotCount) {
  CoresHad had = cores();
  thread(10, 5, 1);
  thread(20, 5, 1, 5);
  had.go_on(start_);
  thread(10, 11, 3);
  thread(20, 9, 7, 5);
  had.pause(start_ + seconds(8));
  EXPECT_DOUBLE_EQ(had.average().value(), 2 * 6.0 / 8);
  EXPECT_DOUBLE_EQ(had.decoding(), 0.5);
}

TEST_F(CoresTest, OnlyTimeOfStepsCounts) {
  CoresHad had = cores();
  thread(10, 0.001, 0);
  had.go_on(start_);
  thread(10, 2, 2);
  had.pause(start_ + seconds(4));
  thread(10, 50, 2);  // an evaluation
  had.glance(start_ + seconds(50));
  had.go_on(start_ + seconds(60));
  thread(10, 52, 4);
  had.go_on(start_ + seconds(61));  // goes on already
  had.pause(start_ + seconds(64));
  EXPECT_NEAR(had.average().value(), 1, 0.01);
}

TEST_F(CoresTest, RecentIsTheLastHalfMinute) {
  CoresHad had = cores();
  thread(10, 1, 0);
  had.go_on(start_);
  double ran = 1, waited = 0;
  for (int second = 1; second <= 60; ++second) {
    (second <= 30 ? ran : waited) += 0.5;
    ran += 0.5;
    thread(10, ran, waited);
    had.glance(start_ + seconds(second));
    if (second < 60) {
      const auto expected = second < 30 ? std::nullopt : std::optional(2.0);
      EXPECT_EQ(had.recent(), expected) << second;
    }
  }
  EXPECT_NEAR(had.recent().value(), 1, 1e-6);
  EXPECT_NEAR(had.average().value(), 1.5, 1e-6);
}

TEST_F(CoresTest, WithoutTheSchedulersAccountWhatOthersLeftCounts) {
  CoresHad had = cores();
  processors(100, 50);
  had.go_on(start_);
  processors(107, 63);  // of 2 x 10 seconds, 7 were used, by others: this test sleeps
  had.glance(start_ + seconds(10));
  EXPECT_NEAR(had.average().value(), 1.3, 0.02);
  EXPECT_EQ(had.decoding(), 0);
}

TEST_F(CoresTest, ItIsNeverMoreThanTheThreads) {
  CoresHad had = cores(1);
  processors(100, 50);
  had.go_on(start_);
  processors(104, 66);
  had.glance(start_ + seconds(10));
  EXPECT_DOUBLE_EQ(had.average().value(), 1);
}

TEST_F(CoresTest, WhatCannotBeIsNotTold) {
  CoresHad nothing = cores();
  nothing.go_on(start_);
  nothing.pause(start_ + seconds(10));
  EXPECT_EQ(nothing.average(), std::nullopt) << "no files";

  processors(0, 0);
  CoresHad frozen = cores();
  frozen.go_on(start_);
  frozen.pause(start_ + seconds(10));
  EXPECT_EQ(frozen.average(), std::nullopt) << "a file that never changes";

  CoresHad other = cores();
  other.go_on(start_);
  processors(60, 60);
  other.pause(start_ + seconds(10));
  EXPECT_EQ(other.average(), std::nullopt) << "another machine's";

  thread(10, 0, 0);
  CoresHad unkept = cores();
  unkept.go_on(start_);
  unkept.pause(start_ + seconds(10));
  EXPECT_EQ(unkept.average(), std::nullopt) << "an account that is not kept";

  thread(10, 1, 0);
  CoresHad brief = cores();
  brief.go_on(start_);
  thread(10, 1.5, 0);
  brief.pause(start_ + std::chrono::milliseconds(500));
  EXPECT_EQ(brief.average(), std::nullopt) << "half a second";
}

TEST(Cores, OfThisMachineAreNoMoreThanTheThreads) {
  CoresHad had(1);
  had.go_on();
  const auto begin = CoresHad::Clock::now();
  while (CoresHad::Clock::now() - begin < std::chrono::milliseconds(1300)) had.glance();
  if (!had.average()) GTEST_SKIP() << "nothing is known here";
  EXPECT_GT(*had.average(), 0);
  EXPECT_LE(*had.average(), 1);
}

TEST(Cores, AreSaidInWords) {
  EXPECT_EQ(cores_text(2, 1.98, 0, "on average"), "2 threads had 1.98 cores on average");
  EXPECT_EQ(cores_text(2, 1.31, 0.01, "on average"), "2 threads had 1.31 cores on average: other processes took the rest");
  EXPECT_EQ(cores_text(1, 0.5, 0.3, "in the last half minute"),
            "1 thread had 0.50 cores in the last half minute: other processes and decoding, which had 0.30, took the rest");
  EXPECT_TRUE(are_few(2, 1.59));
  EXPECT_FALSE(are_few(2, 1.61));
}

}  // namespace
}  // namespace qfw
