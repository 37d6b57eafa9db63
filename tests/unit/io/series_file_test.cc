#include "io/series_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "support.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class SeriesFileTest : public testing::Test {
 protected:
  static void add_training(SeriesFile& file, std::int64_t step) {
    file.add({step, static_cast<double>(step) / 2, SeriesFile::Training{123.45, 0.1f, 0.25, 0.05f}});
  }
  static void add_evaluation(SeriesFile& file, std::int64_t step) {
    file.add({step, static_cast<double>(step) / 2, SeriesFile::Evaluation{2.5, 1.0 / 3, 0.75}});
  }
  /// Steps 1 to 4, evaluations after 2 and 4.
  void write_whole() const {
    SeriesFile file(path_, 0, -1);
    for (std::int64_t step = 1; step <= 4; ++step) {
      add_training(file, step);
      if (step % 2 == 0) add_evaluation(file, step);
    }
  }
  std::string whole() {
    write_whole();
    return test::slurp(path_);
  }

  test::TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "series.csv";
};

TEST_F(SeriesFileTest, HasALineForEachStepAndEvaluation) {
  write_whole();
  EXPECT_EQ(test::slurp(path_),
            "step,seconds,images_per_second,loss,accuracy,learning_rate,eval_loss,eval_accuracy,eval_top5\n"
            "1,0.500,123.5,0.1,0.25,0.05,,,\n"
            "2,1.000,123.5,0.1,0.25,0.05,,,\n"
            "2,1.000,,,,,2.5,0.3333333333333333,0.75\n"
            "3,1.500,123.5,0.1,0.25,0.05,,,\n"
            "4,2.000,123.5,0.1,0.25,0.05,,,\n"
            "4,2.000,,,,,2.5,0.3333333333333333,0.75\n");
}

TEST_F(SeriesFileTest, GoesOnFromAnyCheckpointToTheSameLines) {
  const std::string wanted = whole();
  for (std::int64_t completed = 0; completed <= 4; ++completed) {
    for (const std::int64_t behind : {0, 2}) {          // a checkpoint from before its evaluation knows of the last one but one
      if (behind == 2 && completed % 2 == 1) continue;  // a step beyond an evaluation knows of it
      const std::int64_t evaluated = completed / 2 * 2 - behind;
      test::spew(path_, wanted);
      {
        SeriesFile file(path_, completed, evaluated);
        for (std::int64_t step = completed; step <= 4; ++step) {
          if (step > completed) add_training(file, step);
          if (step > 0 && step % 2 == 0 && step > evaluated) add_evaluation(file, step);
        }
      }
      EXPECT_EQ(test::slurp(path_), wanted) << completed << ", evaluated " << evaluated;
    }
  }
}

TEST_F(SeriesFileTest, NothingHalfSurvives) {
  const std::string wanted = whole();
  const std::string header = wanted.substr(0, wanted.find('\n') + 1);
  for (std::size_t length = 0; length <= wanted.size(); ++length) {
    test::spew(path_, wanted.substr(0, length));
    SeriesFile(path_, 4, 4);
    const std::size_t lines = wanted.rfind('\n', length == 0 ? 0 : length - 1);
    const std::string kept = length < header.size() ? header : wanted.substr(0, lines + 1);
    ASSERT_EQ(test::slurp(path_), kept) << length;
  }
}

TEST_F(SeriesFileTest, KeepsTheTimeOfItsLastLine) {
  write_whole();
  EXPECT_EQ(SeriesFile(path_, 3, 2).seconds(), 1.5);
  EXPECT_EQ(SeriesFile(path_, 0, -1).seconds(), 0);
}

TEST_F(SeriesFileTest, WhatIsNoLineIsCutOffWithAllThatFollows) {
  const std::string wanted = whole(), line = "3,1.500,123.5,0.1,0.25,0.05,,,\n";
  const auto at = wanted.find(line);
  for (const std::string bad :
       {"", "3", "3,1.500,123.5,0.1,0.25,0.05,,", "3,1.500,123.5,0.1,0.25,0.05,,,,", "x,1.500,123.5,0.1,0.25,0.05,,,",
        "-3,1.500,123.5,0.1,0.25,0.05,,,", "3,nan,123.5,0.1,0.25,0.05,,,", "3,-1,123.5,0.1,0.25,0.05,,,",
        "3,1.500,123.5,inf,0.25,0.05,,,", "3,1.500,123.5,0.1,0.25,0.05,1,1,1", "3,1.500,,0.1,0.25,0.05,,,", "1,1,1,1,1,1,,,",
        "2,1.500,123.5,0.1,0.25,0.05,,,", "99999999999999999999,1,1,1,1,1,,,", "3,1.5,1,1,1,=cmd(),,,"}) {
    test::spew(path_, wanted.substr(0, at) + bad + "\n" + wanted.substr(at));
    SeriesFile(path_, 4, 4);
    EXPECT_EQ(test::slurp(path_), wanted.substr(0, at)) << bad;
  }
  test::spew(path_, wanted.substr(0, at) + std::string(1000, '\0'));  // as a power cut may leave it
  SeriesFile(path_, 4, 4);
  EXPECT_EQ(test::slurp(path_), wanted.substr(0, at));
}

TEST_F(SeriesFileTest, WhatIsNoneIsRefusedAndLeftAlone) {
  const auto refusal = [&] { return test::message_of(Error::Category::data, [&] { SeriesFile(path_, 9, 9); }); };
  test::spew(path_, "my notes\n");
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path_.string()), HasSubstr("does not begin as a run's series")));
  EXPECT_EQ(test::slurp(path_), "my notes\n");
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_THAT(refusal(), HasSubstr(path_.string()));
  fs::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("pipe"));
  fs::remove(path_);
  const fs::path elsewhere = folder_.path() / "elsewhere";
  test::spew(elsewhere, "");
  fs::create_symlink(elsewhere, path_);
  EXPECT_THAT(refusal(), HasSubstr(path_.string()));
  EXPECT_EQ(test::slurp(elsewhere), "");
  fs::remove(path_);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { SeriesFile(folder_.path() / "missing" / "series.csv", 0, 0); }),
              HasSubstr("missing"));
}

/// A disk that is full for a while: the file's size is limited instead.
TEST_F(SeriesFileTest, WhatCannotBeWrittenIsWrittenLater) {
  const std::string wanted = whole();
  fs::remove(path_);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{static_cast<rlim_t>(wanted.find("\n3,") + 5), limit.rlim_max};  // ends within a line
  {
    SeriesFile file(path_, 0, -1);
    for (std::int64_t step = 1; step <= 4; ++step) {
      if (step == 2) setrlimit(RLIMIT_FSIZE, &small);
      if (step == 4) setrlimit(RLIMIT_FSIZE, &limit);
      add_training(file, step);
      if (step % 2 == 0) add_evaluation(file, step);
    }
  }
  std::signal(SIGXFSZ, before);
  EXPECT_EQ(test::slurp(path_), wanted);
}

}  // namespace
}  // namespace qfw
