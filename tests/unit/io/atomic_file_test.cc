#include "io/atomic_file.h"

#include <sys/stat.h>

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
    EXPECT_EQ(file.temporary().parent_path(), folder_.path());
    test::spew(file.temporary(), "half");
    EXPECT_FALSE(fs::exists(path_));
  }
  EXPECT_EQ(test::entries(folder_.path()), 0u) << "what was not committed is gone";

  AtomicFile file(path_);
  test::spew(file.temporary(), "whole");
  file.commit();
  EXPECT_EQ(test::slurp(path_), "whole");
  EXPECT_EQ(test::entries(folder_.path()), 1u);
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
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { read_text(folder_.path()); }), HasSubstr("directory"));
  const fs::path nowhere = folder_.path() / "missing" / "file.txt";
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { write_text_atomically(nowhere, "x"); }),
              HasSubstr(nowhere.string()));
}

TEST_F(AtomicFileTest, StaleTemporariesAreRemovedAndNothingElse) {
  AtomicFile left(path_);
  test::spew(left.temporary(), "left by a killed process");
  test::spew(path_, "good");
  test::spew(folder_.path() / ".hidden", "good");
  remove_stale_temporaries(folder_.path());
  EXPECT_FALSE(fs::exists(left.temporary()));
  EXPECT_EQ(test::entries(folder_.path()), 2u);
  remove_stale_temporaries(folder_.path() / "missing");
}

}  // namespace
}  // namespace qfw
