#include "io/checkpoint_folder.h"

#include <sys/stat.h>

#include "support.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class CheckpointFolderTest : public testing::Test {
 protected:
  fs::path file(std::int64_t step) const { return checkpoint_path(folder_.path(), step); }

  /// A whole checkpoint of one variable.
  void write(std::int64_t step) const {
    const CheckpointVariable variable{"kernel", {{64, 8}, DType::f32}};
    save_checkpoint(file(step), {.step = step, .recipe = "[model]\n", .metrics = {}}, std::span(&variable, 1),
                    [](std::string_view, HostTensor to) { std::ranges::fill(to.bytes, std::byte{1}); });
  }
  void damage(std::int64_t step) const { fs::resize_file(file(step), fs::file_size(file(step)) / 2); }

  std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> steps;
    for (const auto& path : checkpoints_in(folder_.path())) steps.push_back(std::stoll(path.filename().string().substr(5)));
    return steps;
  }

  test::TemporaryFolder folder_;
  CheckpointFolder checkpoints_{folder_.path()};
};

TEST_F(CheckpointFolderTest, NamesSortByStep) {
  EXPECT_EQ(checkpoint_path("a/b", 12345), fs::path("a/b/step_000012345.h5"));
  EXPECT_EQ(checkpoint_path("a", 12345678901), fs::path("a/step_12345678901.h5"));
  for (const auto* name : {"step_000000020.h5", "step_000000003.h5", "step_1000000000.h5", "step_x00000020.h5", "step_9.h5",
                           "best.h5", ".step_000000099.h5.qfw-tmp.1.0", "step_000000099.h5x"}) {
    test::spew(folder_.path() / name, "x");
  }
  EXPECT_THAT(steps(), ElementsAre(3, 20, 1000000000));
}

/// Passing over what is in the newest one's place would go on from an older state in silence.
TEST_F(CheckpointFolderTest, WhatIsNoFileIsNeitherUsedNorPassedOver) {
  for (const int step : {1, 2}) write(step);
  fs::create_directory(file(3));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoints_.newest(); }),
              AllOf(HasSubstr("step_000000003.h5: it is a folder, not a file"), HasSubstr("take it away")));
  fs::remove(file(3));
  ASSERT_EQ(mkfifo(file(3).c_str(), 0600), 0);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoints_.newest(); }), HasSubstr("it is a pipe, not a file"));
  fs::remove(file(3));
  fs::create_symlink("gone", file(3));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoints_.newest(); }),
              HasSubstr("it is a link to gone, which"));
  fs::remove(file(3));
  EXPECT_EQ(checkpoints_.newest()->info().step, 2);
}

TEST_F(CheckpointFolderTest, PruningTakesNoFolder) {
  for (const int step : {2, 3}) write(step);
  fs::create_directory(file(1));
  checkpoints_.prune(1);
  EXPECT_THAT(steps(), ElementsAre(1, 3));
}

TEST_F(CheckpointFolderTest, ALinkToNowhereIsNoMissingFolder) {
  fs::create_symlink("gone", folder_.path() / "link");
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoints_in(folder_.path() / "link"); }),
              AllOf(HasSubstr("it is a link to gone"), HasSubstr("link")));
}

TEST_F(CheckpointFolderTest, NoFolderHasNone) {
  EXPECT_TRUE(checkpoints_in(folder_.path() / "missing").empty());
  EXPECT_EQ(CheckpointFolder(folder_.path() / "missing").newest(), nullptr);
  EXPECT_EQ(checkpoints_.newest(), nullptr);
}

TEST_F(CheckpointFolderTest, AFolderThatCannotBeListedIsNotEmpty) {
  test::spew(folder_.path() / "file", "x");
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoints_in(folder_.path() / "file"); }),
              AllOf(HasSubstr("cannot list"), HasSubstr((folder_.path() / "file").string())));
}

TEST_F(CheckpointFolderTest, GoesOnFromTheNewestThatIsWhole) {
  for (const int step : {1, 2, 3, 4}) write(step);
  damage(4);
  test::spew(file(3), "");
  EXPECT_EQ(checkpoints_.newest()->info().step, 2);
  EXPECT_EQ(checkpoints_.newest_path(), file(2));
}

TEST_F(CheckpointFolderTest, DamagedOnesOnlyAreNoReasonToBeginAnew) {
  for (const int step : {1, 2}) write(step), damage(step);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoints_.newest(); }),
              AllOf(HasSubstr("none of its 2 checkpoints"), HasSubstr(folder_.path().string()), HasSubstr("--run.dir")));
  EXPECT_THAT(steps(), ElementsAre(1, 2));
}

TEST_F(CheckpointFolderTest, PruningKeepsTheNewest) {
  for (const int step : {5, 10, 15, 20}) write(step);
  test::spew(folder_.path() / "best.h5", "x");
  checkpoints_.prune(3);
  EXPECT_THAT(steps(), ElementsAre(10, 15, 20));
  checkpoints_.prune(0);
  EXPECT_THAT(steps(), ElementsAre(20)) << "the last one always stays";
  EXPECT_TRUE(fs::exists(folder_.path() / "best.h5"));
}

TEST_F(CheckpointFolderTest, PruningCountsNoDamagedOne) {
  for (const int step : {1, 2, 3, 4, 5, 6}) write(step);
  for (const int step : {3, 5, 6}) damage(step);
  checkpoints_.prune(2);
  EXPECT_THAT(steps(), ElementsAre(2, 3, 4, 5, 6)) << "2 and 4 are the newest two that are whole";
  checkpoints_.wrote(4);
  checkpoints_.prune(1);
  EXPECT_THAT(steps(), ElementsAre(4, 5, 6));
}

TEST_F(CheckpointFolderTest, PruningNeverLeavesNothingWhole) {
  for (const int step : {1, 2, 3}) write(step);
  for (const int step : {2, 3}) damage(step);
  checkpoints_.prune(1);
  EXPECT_EQ(checkpoints_.newest()->info().step, 1);
}

TEST_F(CheckpointFolderTest, OneWrittenAnewIsWhole) {
  for (const int step : {1, 2, 3}) write(step);
  damage(3);
  EXPECT_EQ(checkpoints_.newest()->info().step, 2);
  write(3);
  checkpoints_.wrote(3);
  checkpoints_.prune(1);
  EXPECT_THAT(steps(), ElementsAre(3));
}

TEST_F(CheckpointFolderTest, OneUnderAnothersNameCountsForNothing) {
  for (const int step : {1, 2, 3}) write(step);
  fs::copy_file(file(1), file(100));
  EXPECT_EQ(checkpoints_.newest()->info().step, 3);
  checkpoints_.prune(1);
  EXPECT_THAT(steps(), ElementsAre(3, 100));
}

TEST_F(CheckpointFolderTest, OneThatCannotBeRemovedEndsNothing) {
  checkpoints_.remove(7);
  EXPECT_THAT(steps(), ElementsAre());
}

}  // namespace
}  // namespace qfw
