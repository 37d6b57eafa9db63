#include "io/run_folder.h"

#include <sys/wait.h>

#include <cstdio>

#include "support.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class RunFolderTest : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "runs" / "first";
};

TEST_F(RunFolderTest, IsMadeAndKnowsItsFiles) {
  const RunFolder run(path_, RunFolder::Access::write);
  EXPECT_EQ(test::entries(path_), 1u) << "the lock alone: the start may still be refused";
  run.prepare();
  EXPECT_TRUE(fs::is_directory(run.checkpoints()));
  EXPECT_EQ(run.recipe(), path_ / "recipe.ini");
  EXPECT_EQ(run.environment(), path_ / "environment.json");
  EXPECT_EQ(run.log(), path_ / "log.txt");
  EXPECT_EQ(run.report(), path_ / "report.json");
  EXPECT_EQ(run.best(), path_ / "best.h5");
}

TEST_F(RunFolderTest, ASecondWriterIsToldTheFirstsNumber) {
  {
    const RunFolder run(path_, RunFolder::Access::write);
    EXPECT_THAT(test::message_of(Error::Category::usage, [&] { RunFolder second(path_, RunFolder::Access::write); }),
                AllOf(HasSubstr("process " + std::to_string(getpid())), HasSubstr(path_.string()), HasSubstr("--run.dir")));
    const RunFolder reader(path_, RunFolder::Access::read);
  }
  const RunFolder again(path_, RunFolder::Access::write);
}

TEST_F(RunFolderTest, TheLockGoesWithAKilledProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const RunFolder run(path_, RunFolder::Access::write);
    run.prepare();
    if (write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { RunFolder second(path_, RunFolder::Access::write); }),
              HasSubstr("process " + std::to_string(child)));
  test::spew(path_ / "checkpoints" / ".step_000000001.h5.qfw-tmp.1.0", "half");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  const RunFolder run(path_, RunFolder::Access::write);
  EXPECT_EQ(test::entries(run.checkpoints()), 1u);
  run.prepare();
  EXPECT_EQ(test::entries(run.checkpoints()), 0u) << "the killed process's half-written file is gone";
}

TEST_F(RunFolderTest, ImpossibleFoldersAreErrors) {
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { RunFolder run(path_, RunFolder::Access::read); }),
              HasSubstr("no folder " + path_.string()));
  test::spew(folder_.path() / "file", "x");
  EXPECT_THAT(
      test::message_of(Error::Category::data, [&] { RunFolder run(folder_.path() / "file", RunFolder::Access::write); }),
      HasSubstr("cannot create"));
}

}  // namespace
}  // namespace qfw
