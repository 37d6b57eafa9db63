#include "recipe/run_name.h"

#include <gtest/gtest.h>

#include <fstream>

#include "support/files.h"

namespace qfw::recipe {
namespace {

namespace fs = std::filesystem;

TEST(RunName, IsThePathBelowTheLastFolderCalledRecipes) {
  EXPECT_EQ(run_name("recipes/quickstart.ini"), "quickstart");
  EXPECT_EQ(run_name("recipes/fashion_mnist/none.ini"), "fashion_mnist/none");
  EXPECT_EQ(run_name("./recipes/../recipes/parity/none.ini"), "parity/none");
  EXPECT_EQ(run_name("/usr/share/qfw/recipes/imagenet/resnet50.w4.ini"), "imagenet/resnet50.w4");
  EXPECT_EQ(run_name("/home/me/recipes/old/recipes/a/b.ini"), "a/b");
  EXPECT_EQ(run_name("recipes.ini/x.ini"), "recipes.ini/x");  // not called `recipes`
}

TEST(RunName, IsElseThePathBelowTheCurrentFolder) {
  EXPECT_EQ(run_name("mine.ini"), "mine");
  EXPECT_EQ(run_name("./mine.ini"), "mine");
  EXPECT_EQ(run_name("try/deep/mine.ini"), "try/deep/mine");
  EXPECT_EQ(run_name(fs::current_path() / "try" / "mine.ini"), "try/mine");
  EXPECT_EQ(run_name(""), "recipe");
}

TEST(RunName, NeverLeavesRuns) {
  EXPECT_EQ(run_name("/elsewhere/deep/mine.ini"), "deep/mine");
  EXPECT_EQ(run_name("/mine.ini"), "mine");
  EXPECT_EQ(run_name("../../../../../../../../../../../../../../mine.ini"), "mine");
  const fs::path above = run_name("../mine.ini");
  EXPECT_EQ(above, fs::current_path().parent_path().filename() / "mine");
  EXPECT_EQ(run_name("recipes/../../x/recipes/../y.ini"), run_name("../x/y.ini"));
}

TEST(RunName, TwoOfOneNameDoNotMeet) { EXPECT_NE(run_name("recipes/a/none.ini"), run_name("recipes/b/none.ini")); }

TEST(RunFolderOf, IsThatOfARunsOwnRecipe) {
  const test::TemporaryFolder folder;
  const fs::path file = folder.path() / "recipe.ini";
  std::ofstream(file) << "[run]\n";
  fs::create_directory(folder.path() / "checkpoints");
  EXPECT_EQ(run_folder_of(file), "");  // somebody's project: qfw never ran there
  std::ofstream(folder.path() / ".lock") << "1\n";
  EXPECT_EQ(run_folder_of(file), folder.path());
  EXPECT_EQ(run_folder_of(folder.path() / "other.ini"), "");
}

}  // namespace
}  // namespace qfw::recipe
