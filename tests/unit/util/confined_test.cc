#include "qfw/confined.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <thread>

#include "support/files.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

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

class ForeignFiles : public testing::Test {
 protected:
  std::string error(const fs::path& path) const {
    return test::message_of(Error::Category::data, [&] { ForeignFile file(path); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(ForeignFiles, OnlyRegularFilesAreOpened) {
  const fs::path path = folder_.path() / "x";
  EXPECT_THAT(error(path), AllOf(HasSubstr("No such file"), HasSubstr(path.string())));
  EXPECT_THAT(error(folder_.path()), HasSubstr("it is a folder"));
  EXPECT_THAT(error("/dev/zero"), HasSubstr("it is a device"));
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(error(path), HasSubstr("it is a pipe"));
  fs::remove(path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(error(path), HasSubstr("it is a socket"));
  close(socket);
}

TEST_F(ForeignFiles, ThatChangeAreNotReadOn) {
  const fs::path path = folder_.path() / "x";
  std::ofstream(path) << std::string(10'000, 'a');
  const ForeignFile file(path);
  std::vector<std::byte> bytes(100);
  file.read(9'900, bytes);
  EXPECT_EQ(bytes.back(), std::byte{'a'});
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { file.read(9'901, bytes); }), HasSubstr("the file ends"));
  EXPECT_EQ(ForeignFile(path).storage_identity(), file.storage_identity());
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::ofstream(path, std::ios::in).put('b');
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { file.read(0, bytes); }),
              HasSubstr("has changed since it was opened"));
  EXPECT_NE(ForeignFile(path).storage_identity(), file.storage_identity());
  fs::resize_file(path, 50);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { file.read(9'000, bytes); }), HasSubstr("the file ends"));
}

}  // namespace
}  // namespace qfw
