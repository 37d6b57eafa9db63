#include "code_cache.h"

#include <chrono>
#include <cstdlib>

#include "support.h"

namespace qfw::cuda {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Cache : public testing::Test {
 protected:
  CodeCache make(std::uint64_t most_bytes = 1 << 20) {
    return CodeCache(
        {.folder = folder(), .most_bytes = most_bytes, .say = [this](const std::string& line) { said.push_back(line); }});
  }
  fs::path folder() const { return temporary_.path() / "deep" / "cubins"; }
  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(folder())) all.push_back(entry.path());
    return all;
  }
  fs::path only_file() const {
    const auto all = files();
    EXPECT_EQ(all.size(), 1u);
    return all.at(0);
  }

  std::vector<std::string> said;

 private:
  test::TemporaryFolder temporary_;
};

TEST_F(Cache, KeepsWhatWasWrittenForOthers) {
  make().write("key", std::string("a\0b", 3));
  EXPECT_EQ(make().read("key"), std::string("a\0b", 3));
  EXPECT_EQ(make().read("other"), std::nullopt);
  EXPECT_THAT(said, IsEmpty());
  only_file();  // and no temporary
}

TEST_F(Cache, WhatIsWrittenAgainIsReplaced) {
  CodeCache cache = make();
  cache.write("key", "first");
  cache.write("key", "second");
  EXPECT_EQ(cache.read("key"), "second");
}

TEST_F(Cache, ADamagedFileCountsAsMissingAndIsRemoved) {
  for (const std::size_t at : {0u, 9u, 17u, 24u, 30u}) {  // magic, size, checksum, code
    make().write("key", "machine code");
    std::string bytes = slurp(only_file());
    ASSERT_GT(bytes.size(), at);
    bytes[at] ^= 1;
    std::ofstream(only_file(), std::ios::binary) << bytes;
    EXPECT_EQ(make().read("key"), std::nullopt) << at;
    EXPECT_THAT(files(), IsEmpty()) << at;
  }
}

TEST_F(Cache, ATruncatedFileCountsAsMissing) {
  for (const std::size_t bytes : {0u, 10u, 24u, 30u}) {
    make().write("key", "machine code");
    fs::resize_file(only_file(), bytes);
    EXPECT_EQ(make().read("key"), std::nullopt) << bytes;
  }
}

TEST_F(Cache, AFileUnderAnotherNameIsNotTaken) {
  make().write("key", "machine code");
  fs::path other = only_file();
  other.replace_filename("other" + other.extension().string());
  fs::rename(only_file(), other);
  EXPECT_EQ(make().read("other"), std::nullopt);
}

TEST_F(Cache, WhatWasUsedLongestAgoGoesFirst) {
  CodeCache cache = make(3 * 1100);
  const auto now = fs::file_time_type::clock::now();
  for (const char* key : {"a", "b", "c", "d"}) {
    cache.write(key, std::string(1000, *key));
    for (const fs::path& file : files()) {
      if (file.stem() == key) fs::last_write_time(file, now - std::chrono::hours('e' - *key));
    }
  }
  EXPECT_TRUE(cache.read("a"));  // the oldest, and now the newest
  cache.trim();
  EXPECT_TRUE(cache.read("a"));
  EXPECT_FALSE(cache.read("b"));
  EXPECT_TRUE(cache.read("c"));
  EXPECT_TRUE(cache.read("d"));
}

TEST_F(Cache, LeavesOtherFilesAloneAndRemovesOldTemporaries) {
  CodeCache cache = make(10);
  cache.write("key", "machine code");
  const fs::path mine = folder() / "readme", temporary = folder() / ".key.qfwcode.qfw-tmp.1.1",
                 recent = folder() / ".key.qfwcode.qfw-tmp.1.2";
  for (const fs::path& file : {mine, temporary, recent}) std::ofstream(file) << "x";
  fs::last_write_time(temporary, fs::file_time_type::clock::now() - std::chrono::hours(48));
  cache.trim();
  EXPECT_THAT(files(), testing::UnorderedElementsAre(mine, recent));
}

TEST_F(Cache, AFolderThatCannotBeWrittenToIsToldOnceAndDoneWithout) {
  fs::create_directories(folder().parent_path());
  std::ofstream(folder()) << "a file";  // root may write to any folder
  CodeCache cache = make();
  cache.write("key", "machine code");
  cache.write("other", "machine code");
  cache.trim();
  EXPECT_EQ(cache.read("key"), std::nullopt);
  EXPECT_THAT(said, ElementsAre(HasSubstr("compiled code is not kept in " + folder().string())));
}

TEST_F(Cache, WithoutAFolderNothingIsKept) {
  CodeCache cache({.folder = ""});
  cache.write("key", "machine code");
  cache.trim();
  EXPECT_EQ(cache.read("key"), std::nullopt);
}

TEST(CacheFolder, IsTheUsers) {
  setenv("HOME", "/home/somebody", 1);
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(CodeCache::default_folder(), "/home/somebody/.cache/qfw/cubins");
  setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_EQ(CodeCache::default_folder(), "/cache/qfw/cubins");
  setenv("XDG_CACHE_HOME", "relative", 1);  // to be ignored, says its specification
  EXPECT_EQ(CodeCache::default_folder(), "/home/somebody/.cache/qfw/cubins");
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  EXPECT_EQ(CodeCache::default_folder(), "");
}

TEST(CacheKey, DependsOnEveryPartAndOnWhereItEnds) {
  const auto key = [](std::vector<std::string_view> parts) { return CodeCache::key_of(parts); };
  EXPECT_EQ(key({"ab", "c"}), key({"ab", "c"}));
  EXPECT_NE(key({"ab", "c"}), key({"a", "bc"}));
  EXPECT_NE(key({"ab", "c"}), key({"ab", "d"}));
  EXPECT_NE(key({"ab"}), key({"ab", ""}));
  EXPECT_EQ(key({"ab", "c"}).size(), 32u);
}

}  // namespace
}  // namespace qfw::cuda
