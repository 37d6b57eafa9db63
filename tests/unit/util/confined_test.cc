#include "qfw/confined.h"

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "support/files.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

class Confined : public testing::Test {
 protected:
  Confinement limits_{.tag = "test",
                      .task = "reading it",
                      .place = "somewhere.h5",
                      .remedy = "make it again",
                      .memory = 64 << 20,
                      .seconds = 30};

  std::string error(const std::function<void(Answer&)>& work, Error::Category category = Error::Category::data) {
    return test::message_of(category, [&] { run_confined(limits_, work); });
  }
};

TEST_F(Confined, AnswersComeBackInOrder) {
  std::vector<std::int64_t> many(500'000);
  std::iota(many.begin(), many.end(), -7);
  Received got = run_confined(limits_, [&](Answer& to) {
    to.put(3.5), to.put_text("name\0more"), to.put_list<std::int64_t>(many), to.put(true), to.put_text("");
  });
  EXPECT_EQ(got.take<double>(), 3.5);
  EXPECT_EQ(got.take_text(), "name");
  EXPECT_EQ(got.take_list<std::int64_t>(), many);
  EXPECT_TRUE(got.take<bool>());
  EXPECT_EQ(got.take_text(), "");
  EXPECT_THAT(test::message_of(Error::Category::internal, [&] { got.take<int>(); }), HasSubstr("too early"));
}

TEST_F(Confined, AListIsNeverLongerThanItsBytes) {
  Received got = run_confined(limits_, [](Answer& to) { to.put(std::uint64_t{1} << 61); });
  EXPECT_THAT(test::message_of(Error::Category::internal, [&] { got.take_list<double>(); }), HasSubstr("too early"));
}

TEST_F(Confined, ErrorsAreThrownAgain) {
  EXPECT_EQ(error([](Answer&) { fail(Error::Category::usage, "x", "what", "where", "remedy"); }, Error::Category::usage),
            "[x] what (where); remedy");
  EXPECT_THAT(error([](Answer&) { throw std::runtime_error("odd"); }),
              AllOf(HasSubstr("reading it fails: odd"), HasSubstr("somewhere.h5")));
  EXPECT_THAT(error([](Answer&) { throw 3; }, Error::Category::internal), HasSubstr("reading it fails"));
  EXPECT_LT(error([](Answer&) { fail(Error::Category::data, "x", std::string(1 << 20, 'a')); }).size(), 5000u);
}

TEST_F(Confined, CrashesAreErrors) {
  for (const auto& [signal, name] : {std::pair{SIGSEGV, "SEGV"}, {SIGABRT, "ABRT"}, {SIGFPE, "FPE"}, {SIGKILL, "KILL"}}) {
    EXPECT_THAT(error([signal = signal](Answer& to) {
                  to.put_list<char>(std::string(1 << 20, 'a'));
                  std::signal(signal, SIG_DFL);
                  raise(signal);
                }),
                AllOf(HasSubstr(std::string("crash of the library (SIG") + name), HasSubstr("somewhere.h5"),
                      HasSubstr("make it again")));
  }
  EXPECT_THAT(error([](Answer&) { _exit(7); }), HasSubstr("ends with status 7"));
}

TEST_F(Confined, TimeIsLimited) {
  limits_.seconds = 1;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(error([](Answer&) {
                for (;;) pause();
              }),
              HasSubstr("takes longer than 1 s"));
  EXPECT_THAT(error([](Answer& to) {
                for (std::uint32_t i = 0;; ++i) {
                  if (i % (1 << 20) == 0) to.flush();
                }
              }),
              HasSubstr("takes longer than 1 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
}

TEST_F(Confined, MemoryIsLimited) {
  if (!sanitized) {
    EXPECT_THAT(error([](Answer& to) { to.put(std::vector<char>(200 << 20).size()); }),
                HasSubstr("asks for more than 64 MiB of memory"));
  }
  EXPECT_THAT(error([](Answer& to) {
                const std::vector<char> piece(1 << 20);
                for (int i = 0; i < 100; ++i) to.put_list<char>(piece);
              }),
              HasSubstr("gives more than 64 MiB"));
  limits_.memory = 0;
  EXPECT_EQ(run_confined(limits_, [](Answer& to) { to.put(std::vector<char>(200 << 20, 'a').size()); }).take<std::size_t>(),
            200u << 20);
}

TEST_F(Confined, WorksBesideOtherThreads) {
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) std::vector<std::string>(100, std::string(100, 'a')).clear();
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i)
        EXPECT_EQ(run_confined(limits_, [&](Answer& to) { to.put_text(std::to_string(t)); }).take_text(), std::to_string(t));
    });
  }
  for (auto& thread : threads) thread.join();
  stop = true;
  busy.join();
}

}  // namespace
}  // namespace qfw
