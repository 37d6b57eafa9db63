#include "qfw/atomic_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "qfw/regular_file.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "file.txt";
};

TEST_F(AtomicFileTest, AppearsOnlyWhenCommitted) {
  {
    AtomicFile file(path_);
    file.write("half");
    EXPECT_FALSE(fs::exists(path_));
    EXPECT_EQ(test::entries(folder_.path()), 1u) << "the temporary lies beside it";
  }
  EXPECT_EQ(test::entries(folder_.path()), 0u) << "what was not committed is gone";

  AtomicFile file(path_);
  file.write("whole");
  file.commit();
  EXPECT_EQ(test::slurp(path_), "whole");
  EXPECT_EQ(test::entries(folder_.path()), 1u);
}

TEST_F(AtomicFileTest, PiecesOfAnySizeFollowEachOtherAndPlacesAreFree) {
  const std::string large(1 << 19, 'l');
  AtomicFile file(path_);
  file.write("head");
  file.write(large);
  file.write("tail");
  file.write_at(0, std::as_bytes(std::span("HE", 2)));
  file.write("end");
  std::string read(4, '?');
  file.read_at(2, std::as_writable_bytes(std::span(read)));
  EXPECT_EQ(read, "adll");
  file.read_at(large.size() + 9, std::as_writable_bytes(std::span(read)));
  EXPECT_EQ(read, std::string("nd\0\0", 4)) << "zeros beyond the end";
  file.commit(AtomicFile::Sync::later);
  sync_file_system(folder_.path());
  EXPECT_EQ(test::slurp(path_), "HEad" + large + "tailend");
}

TEST_F(AtomicFileTest, TwoOfOneTargetDoNotMeet) {
  AtomicFile one(path_), other(path_);
  one.write("one");
  other.write("other");
  other.commit();
  one.commit();
  EXPECT_EQ(test::slurp(path_), "one");
  EXPECT_EQ(test::entries(folder_.path()), 1u);
}

TEST_F(AtomicFileTest, TheLongestNameWorks) {
  const fs::path longest = folder_.path() / std::string(255, 'n');
  write_text_atomically(longest, "text");
  EXPECT_EQ(read_text(longest), "text");
}

TEST_F(AtomicFileTest, WhatIsNoFileIsNeitherReadNorReplaced) {
  const fs::path pipe = folder_.path() / "pipe", link = folder_.path() / "link";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  fs::create_symlink("/dev/null", link);
  const std::pair<fs::path, const char*> cases[] = {{pipe, "pipe"}, {link, "device"}, {folder_.path(), "folder"}};
  for (const auto& [at, kind] : cases) {
    const fs::path& path = at;  // clang 15 captures no structured binding
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { read_text(path); }),
                testing::AllOf(HasSubstr(path.string()), HasSubstr(kind)));
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { write_text_atomically(path, "x"); }),
                testing::AllOf(HasSubstr(path.string()), HasSubstr(kind)));
  }
  EXPECT_TRUE(fs::is_symlink(link));
}

TEST_F(AtomicFileTest, ATooLargeFileIsOneErrorThatSaysWhatToDo) {
  rlimit before{}, small{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  small = before;
  small.rlim_cur = 1000;
  write_text_atomically(path_, "good");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message =
      test::message_of(Error::Category::data, [&] { write_text_atomically(path_, std::string(2000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, testing::AllOf(HasSubstr(path_.string()), HasSubstr("too large"), HasSubstr("ulimit -f")));
  EXPECT_EQ(test::slurp(path_), "good") << "the older file is untouched";
  EXPECT_EQ(test::entries(folder_.path()), 1u);
}

TEST_F(AtomicFileTest, AFileThatDoesNotKnowItsSizeIsReadToItsEnd) {
  EXPECT_THAT(read_text("/proc/self/status"), HasSubstr("VmPeak"));
}

TEST_F(AtomicFileTest, TextGoesThereAndBack) {
  const std::string text("one\0two\n", 8);
  write_text_atomically(path_, text);
  EXPECT_EQ(read_text(path_), text);
  write_text_atomically(path_, "");
  EXPECT_EQ(read_text(path_), "");
  const std::string large(100000, 'x');
  write_text_atomically(path_, large);
  EXPECT_EQ(read_text(path_), large);
}

TEST_F(AtomicFileTest, ARelativeNameWorks) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_.path());
  write_text_atomically("relative.txt", "text");
  fs::current_path(before);
  EXPECT_EQ(read_text(folder_.path() / "relative.txt"), "text");
}

TEST_F(AtomicFileTest, FailuresNameTheFile) {
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { read_text(path_); }),
              testing::AllOf(HasSubstr(path_.string()), HasSubstr("No such file")));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { read_text(folder_.path()); }), HasSubstr("folder"));
  const fs::path nowhere = folder_.path() / "missing" / "file.txt";
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { write_text_atomically(nowhere, "x"); }),
              HasSubstr(nowhere.string()));
}

TEST_F(AtomicFileTest, StaleTemporariesAreRemovedAndNothingElse) {
  AtomicFile left(path_);  // stands for one of a killed process
  test::spew(path_, "good");
  test::spew(folder_.path() / ".hidden", "good");
  EXPECT_EQ(test::entries(folder_.path()), 3u);
  remove_stale_temporaries(folder_.path());
  EXPECT_EQ(test::entries(folder_.path()), 2u);
  EXPECT_EQ(test::slurp(path_), "good");
  remove_stale_temporaries(folder_.path() / "missing");
}

}  // namespace
}  // namespace qfw
