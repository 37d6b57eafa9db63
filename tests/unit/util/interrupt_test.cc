#include "util/interrupt.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

#include "util/ticker.h"

namespace qfw {
namespace {

using namespace std::chrono_literals;

TEST(InterruptGuard, TheFirstSignalIsAnsweredWhileWorkGoesOn) {
  std::atomic<int> answers = 0;
  {
    const InterruptGuard guard([&](std::string_view again) {
      EXPECT_EQ(again, "SIGTERM");
      ++answers;
      return std::string("stopping");
    });
    EXPECT_FALSE(InterruptGuard::requested());
    std::raise(SIGTERM);
    EXPECT_TRUE(InterruptGuard::requested());
    for (int i = 0; i < 1000 && answers == 0; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(answers, 1) << "this thread works on";
  }
  const InterruptGuard next([&](std::string_view) { return std::string("again"); });
  EXPECT_FALSE(InterruptGuard::requested());
  EXPECT_EQ(answers, 1);
}

TEST(InterruptGuard, ASignalJustBeforeTheEndIsAnswered) {
  for (int i = 0; i < 50; ++i) {
    int answers = 0;
    {
      const InterruptGuard guard([&](std::string_view) { return ++answers, std::string("stopping"); });
      std::raise(SIGINT);
    }
    ASSERT_EQ(answers, 1);
  }
}

TEST(InterruptGuard, LeavesSignalsAsTheyWere) {
  struct sigaction before {
  }, after{};
  sigaction(SIGINT, nullptr, &before);
  std::signal(SIGHUP, SIG_IGN);
  {
    const InterruptGuard guard("stopping");
    std::raise(SIGHUP);
    EXPECT_FALSE(InterruptGuard::requested()) << "as under nohup";
  }
  sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  sigaction(SIGHUP, nullptr, &after);
  EXPECT_EQ(after.sa_handler, SIG_IGN);
  std::signal(SIGHUP, SIG_DFL);
}

TEST(InterruptDeathTest, TheSecondSignalEndsTheProcess) {
  for (const int second : {SIGINT, SIGTERM}) {
    EXPECT_EXIT(
        {
          const InterruptGuard guard("stopping");
          std::raise(SIGINT);
          std::raise(second);
        },
        testing::KilledBySignal(second), "");
  }
}

TEST(InterruptDeathTest, WithoutAGuardTheFirstDoes) {
  EXPECT_EXIT(
      {
        leave_line_clean_at_signals();
        std::raise(SIGTERM);
      },
      testing::KilledBySignal(SIGTERM), "");
}

TEST(Ticker, TicksUntilItEnds) {
  std::atomic<int> ticks = 0;
  {
    const Ticker ticker(5ms, [&] { ++ticks; });
    for (int i = 0; i < 1000 && ticks < 3; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_GE(ticks, 3);
  }
  const int ended = ticks;
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(ticks, ended);
  const auto begin = std::chrono::steady_clock::now();
  {
    const Ticker ticker(1h, [] {});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s) << "it does not wait for the next one";
}

}  // namespace
}  // namespace qfw
