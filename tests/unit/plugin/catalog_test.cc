#include "plugin/catalog.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <thread>

#include "folders.h"
#include "plugin/folders.h"
#include "qfw/quantizer.h"
#include "qfw/schedule.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A folder of this test's own, gone with it.
class CatalogTest : public testing::Test {
 protected:
  CatalogTest() {
    std::string pattern = (fs::temp_directory_path() / "qfw_catalog_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~CatalogTest() override { fs::remove_all(folder_); }

  fs::path place(const std::string& plugin, const fs::path& below = {}) {
    fs::create_directories(folder_ / below);
    const fs::path to = folder_ / below / ("libqfw_" + plugin + ".so");
    fs::copy_file(built(plugin.starts_with("twin_") ? "duplicate" : plugin) / to.filename(), to);
    return to;
  }

  fs::path folder_;
};

// Runs first in its process (each case has its own under CTest): the variable is set by the library's constructor.
TEST_F(CatalogTest, ListsWithoutOpeningAndOpensWhatIsAskedFor) {
  const fs::path file = place("good");
  ::unsetenv("QFW_TEST_OPENED_GOOD");
  const std::vector folders = {folder_};
  const Catalog catalog(folders);
  ASSERT_EQ(catalog.entries().size(), 2u);
  const Catalog::Entry& entry = catalog.entries()[1];  // sorted: capitals first
  EXPECT_EQ(entry.kind, "schedule");
  EXPECT_EQ(entry.name, "good");
  EXPECT_EQ(entry.description, "a \"constant\" rate, for tests");
  EXPECT_EQ(entry.version, "1.2.3");
  EXPECT_EQ(entry.licence, "Apache-2.0");
  EXPECT_EQ(entry.file, fs::canonical(file));
  EXPECT_TRUE(entry.usable);
  EXPECT_THAT(catalog.names("schedule"), ElementsAre("Good_Too", "good"));
  EXPECT_THAT(catalog.kinds(), ElementsAre("schedule"));
  EXPECT_EQ(std::getenv("QFW_TEST_OPENED_GOOD"), nullptr);

  const Factory<Schedule>& factory = catalog.get<Schedule>("good");
  EXPECT_NE(std::getenv("QFW_TEST_OPENED_GOOD"), nullptr);
  EXPECT_EQ(factory.make({{"level", 3.0}})->value({}), 3.0);
  EXPECT_EQ(&factory, &catalog.get<Schedule>("good"));
}

TEST_F(CatalogTest, ComparesNamesWithoutRegardToCase) {
  place("good");
  const std::vector folders = {folder_};
  const Catalog catalog(folders);
  EXPECT_EQ(&catalog.get<Schedule>("GOOD"), &catalog.get<Schedule>("good"));
  EXPECT_EQ(catalog.get<Schedule>("good_too").make({})->value({}), 2.0);
}

TEST_F(CatalogTest, OutlivesTheCatalogWithWhatItMade) {
  place("good");
  std::unique_ptr<Schedule> schedule;
  {
    const std::vector folders = {folder_};
    const Catalog catalog(folders);
    schedule = catalog.get<Schedule>("good").make({});
  }
  EXPECT_EQ(schedule->value({}), 0.5);
}

TEST_F(CatalogTest, AnswersATypoWithFoldersNamesAndTheNearest) {
  place("good");
  const fs::path absent = folder_ / "absent";
  const std::vector folders = {folder_, absent};
  const Catalog catalog(folders);
  const Failure failure = failure_of([&] { catalog.get<Schedule>("goood"); });
  EXPECT_EQ(failure.category, Error::Category::usage);
  EXPECT_EQ(failure.message, "[plugin] no schedule is called 'goood' (searched " + fs::canonical(folder_).string() + ", not " +
                                 absent.string() + ", which does not exist); there are: Good_Too, good; did you mean good?");

  const Failure other = failure_of([&] { catalog.get<Quantizer>("good"); });
  EXPECT_EQ(other.category, Error::Category::usage);
  EXPECT_THAT(other.message, HasSubstr("there is no quantizer at all, only plugins of kind schedule"));
}

TEST_F(CatalogTest, MissesAFileThatWasRemovedAndNothingElse) {
  place("good");
  const fs::path gone = place("liar");
  fs::remove(gone);
  const std::vector folders = {folder_};
  const Catalog catalog(folders);
  EXPECT_NO_THROW(catalog.get<Schedule>("good"));
  EXPECT_EQ(failure_of([&] { catalog.get<Schedule>("liar"); }).category, Error::Category::usage);
}

TEST_F(CatalogTest, FailsCleanlyIfTheFileVanishesAfterListing) {
  const fs::path file = place("good");
  const std::vector folders = {folder_};
  const Catalog catalog(folders);
  fs::remove(file);
  const Failure failure = failure_of([&] { catalog.get<Schedule>("good"); });
  EXPECT_EQ(failure.category, Error::Category::plugin);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("cannot be opened"), HasSubstr(file.filename().string())));
}

TEST_F(CatalogTest, SeesOneFileOnceHoweverItIsReached) {
  place("good", "real");
  fs::create_directory_symlink(folder_ / "real", folder_ / "alias");
  fs::create_directory(folder_ / "other");
  fs::create_symlink(folder_ / "real" / "libqfw_good.so", folder_ / "other" / "libqfw_same.so");
  const std::vector folders = {folder_ / "real", folder_ / "alias", folder_ / "other"};
  const Catalog catalog(folders);
  EXPECT_EQ(catalog.entries().size(), 2u);
  EXPECT_NO_THROW(catalog.get<Schedule>("good"));
}

TEST_F(CatalogTest, SearchesNoFolderThatOthersMayWrite) {
  place("good", "open");
  ASSERT_EQ(::chmod((folder_ / "open").c_str(), 0777), 0);
  const std::vector folders = {folder_ / "open"};
  const Catalog catalog(folders);
  EXPECT_THAT(catalog.entries(), IsEmpty());
  ASSERT_EQ(catalog.folders().size(), 1u);
  EXPECT_THAT(catalog.folders()[0].skipped, HasSubstr("may be written by every user"));
  EXPECT_THAT(failure_of([&] { catalog.get<Schedule>("good"); }).message, HasSubstr("which may be written by every user"));
}

TEST_F(CatalogTest, TakesNoFileThatOthersMayWrite) {
  const fs::path file = place("good");
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  const std::vector folders = {folder_};
  const Catalog catalog(folders);
  ASSERT_FALSE(catalog.entries().empty());
  EXPECT_FALSE(catalog.entries()[0].usable);
  EXPECT_THAT(failure_of([&] { catalog.get<Schedule>("good"); }).message, HasSubstr("not trusted"));
}

TEST_F(CatalogTest, DistrustsWhatBelongsToAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  ASSERT_EQ(::chown(folder_.c_str(), 12345, 12345), 0);
  EXPECT_THAT(unsafe_reason(folder_), HasSubstr("belongs to another user (uid 12345)"));
}

TEST_F(CatalogTest, LoadsFromManyThreadsAtOnce) {
  place("good");
  place("twin_a");
  const std::vector folders = {folder_};
  for (int round = 0; round < 5; ++round) {
    const Catalog catalog(folders);
    constexpr int threads = 8;
    std::barrier start(threads);
    std::atomic<int> right = 0;
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] {
        start.arrive_and_wait();
        const Factory<Schedule>& factory = catalog.get<Schedule>(i % 2 == 0 ? "good" : "only_a");
        const bool missing = !failure_of([&] { catalog.get<Schedule>("absent"); }).message.empty();
        right += factory.make({{"level", double(i)}})->value({}) == double(i) && missing;
      });
    }
    workers.clear();
    EXPECT_EQ(right, threads);
  }
}

class PluginFolders : public testing::Test {
 protected:
  void SetUp() override { ::setenv("QFW_PLUGIN_PATH", "/one::relative:/two", 1); }
  void TearDown() override { ::unsetenv("QFW_PLUGIN_PATH"); }
};

TEST_F(PluginFolders, StandInTheDocumentedOrderWithoutTheCurrentDirectory) {
  const std::vector<fs::path> chosen = {"/zero"};
  const std::vector<fs::path> folders = plugin_folders(chosen);
  const fs::path program = fs::read_symlink("/proc/self/exe");
  EXPECT_THAT(folders,
              ElementsAre("/zero", "/one", "/two", program.parent_path(), program.parent_path().parent_path() / "lib" / "qfw"));
}

}  // namespace
}  // namespace qfw
