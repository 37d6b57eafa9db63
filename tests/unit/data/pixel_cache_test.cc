#include "data/pixel_cache.h"

#include <sys/stat.h>

#include <fstream>

#include "data/cache_folder.h"
#include "pictures.h"

namespace qfw {
namespace {

using test::expect_equal;
using test::Pictures;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
namespace fs = std::filesystem;

struct Source {
  std::string settings = "pictures";
  std::optional<std::uint64_t> storage = 1;
  std::int64_t bad = -1;
  int shift = 0;
};

class PixelCacheTest : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
  CorruptExamples fails_{false, 0}, skips_{true, 5};
  const Pictures* pictures_ = nullptr;

  std::unique_ptr<PixelCache> cache(CorruptExamples& corrupt, const Source& source = {}) {
    auto pictures = std::make_unique<Pictures>(600, source.shift);
    pictures->bad = source.bad;
    pictures->storage = source.storage;
    pictures_ = pictures.get();
    return std::make_unique<PixelCache>(std::move(pictures), PixelCache::Settings{folder_.path(), source.settings, 3}, corrupt);
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      if (entry.path().extension() == ".pixels") found.push_back(entry.path());
    }
    return found;
  }
  void damage(const fs::path& file, std::streamoff at) const {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(at);
    stream.put('\x55');
  }
  template <class Action>
  static std::string logged(Action action) {
    testing::internal::CaptureStderr();
    action();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(PixelCacheTest, is_made_once_and_shared) {
  for (const bool first : {true, false}) {
    const auto made = cache(fails_);
    made->prepare("train");
    EXPECT_EQ(pictures_->gets, first ? 600 : 0);
    const int before = pictures_->gets;
    for (std::int64_t i : {0, 5, 599}) expect_equal(made->get("train", i), Pictures(600).get("train", i));
    EXPECT_EQ(pictures_->gets, before);
  }
}

TEST_F(PixelCacheTest, of_another_data_set_is_another_file) {
  cache(fails_)->prepare("train");
  cache(fails_, {.settings = "others"})->prepare("train");
  EXPECT_EQ(files().size(), 2u);
  const auto changed = cache(fails_, {.storage = 2, .shift = 1});
  changed->prepare("train");
  EXPECT_EQ(files().size(), 3u);
  expect_equal(changed->get("train", 7), Pictures(600, 1).get("train", 7));
}

TEST_F(PixelCacheTest, reads_everything_where_changes_are_not_told) {
  const std::string said = logged([&] { cache(fails_, {.storage = {}})->prepare("train"); });
  EXPECT_THAT(said, HasSubstr("does not tell whether its files changed"));
  EXPECT_THAT(logged([&] { cache(fails_)->prepare("validation"); }), Not(HasSubstr("does not tell")));
  cache(fails_, {.storage = {}})->prepare("train");
  EXPECT_EQ(pictures_->gets, 600);
  const auto changed = cache(fails_, {.storage = {}, .shift = 1});
  changed->prepare("train");
  expect_equal(changed->get("train", 7), Pictures(600, 1).get("train", 7));
}

TEST_F(PixelCacheTest, goes_on_where_it_was_stopped) {
  EXPECT_THROW(cache(fails_, {.bad = 400})->prepare("train"), Error);  // as if killed there: whole blocks are written
  EXPECT_THAT(files(), IsEmpty());
  EXPECT_THROW(cache(fails_, {.bad = 400})->prepare("train"), Error);
  const auto again = cache(fails_, {.bad = 400});
  EXPECT_THROW(again->prepare("train"), Error);
  EXPECT_LT(pictures_->gets, 500) << "the first block is not read again";
}

TEST_F(PixelCacheTest, asks_again_for_corrupt_examples) {
  const auto made = cache(skips_, {.bad = 400});
  made->prepare("train");
  EXPECT_EQ(skips_.count(), 1);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { made->get("train", 400); }), HasSubstr("example 400 of train"));
  expect_equal(made->get("train", 401), Pictures(600).get("train", 401));
  const auto mended = cache(fails_);
  mended->prepare("train");
  EXPECT_EQ(pictures_->gets, 0);
  expect_equal(mended->get("train", 400), Pictures(600).get("train", 400));
}

TEST_F(PixelCacheTest, reads_a_damaged_picture_from_the_data_set_and_is_made_anew) {
  cache(fails_)->prepare("train");
  damage(files().front(), 200);  // within the first pictures
  {
    const auto damaged = cache(fails_);
    damaged->prepare("train");
    const std::string said = logged([&] {
      for (int round = 0; round < 2; ++round) {
        for (std::int64_t i = 0; i < 10; ++i) expect_equal(damaged->get("train", i), Pictures(600).get("train", i));
      }
    });
    EXPECT_THAT(said, AllOf(HasSubstr("does not fit its checksum"), HasSubstr("makes the file anew")));
    EXPECT_EQ(said.find("checksum"), said.rfind("checksum")) << "once";
    EXPECT_EQ(pictures_->gets, 2);
  }
  const auto anew = cache(fails_);
  anew->prepare("train");
  EXPECT_EQ(pictures_->gets, 600);
}

TEST_F(PixelCacheTest, notices_damage_done_after_a_picture_was_read) {
  const auto made = cache(fails_);
  made->prepare("train");
  expect_equal(made->get("train", 0), Pictures(600).get("train", 0));
  for (std::streamoff at = 40; at < 400; ++at) damage(files().at(0), at);
  expect_equal(made->get("train", 0), Pictures(600).get("train", 0));
}

TEST_F(PixelCacheTest, waits_for_no_pipe_and_follows_no_link) {
  cache(fails_)->prepare("train");
  const fs::path file = files().at(0), victim = folder_.path() / "victim";
  fs::remove(file);
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  const auto made = cache(fails_);
  EXPECT_THAT(logged([&] { made->prepare("train"); }), HasSubstr("it is no file; it is made anew"));
  expect_equal(made->get("train", 3), Pictures(600).get("train", 3));
  fs::remove(file);
  std::ofstream(victim) << "precious";
  fs::create_symlink(victim, file.string() + ".partial");
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { cache(fails_)->prepare("train"); }), HasSubstr(".partial"));
  EXPECT_EQ(fs::file_size(victim), 8u);
}

TEST_F(PixelCacheTest, whose_table_or_header_is_damaged_is_made_anew) {
  cache(fails_)->prepare("train");
  const fs::path file = files().front();
  const auto size = fs::file_size(file);
  const auto mend = [&](const char* said) {
    std::unique_ptr<PixelCache> made;
    EXPECT_THAT(logged([&] {
                  made = cache(fails_);
                  made->prepare("train");
                }),
                AllOf(HasSubstr(said), HasSubstr("made anew")));
    expect_equal(made->get("train", 5), Pictures(600).get("train", 5));
    EXPECT_EQ(fs::file_size(file), size);
  };
  fs::resize_file(file, size - 8);
  mend("it is not complete");
  fs::resize_file(file, 0);
  mend("no file of cached pixels");
  damage(file, 0);
  mend("no file of cached pixels");
  damage(file, static_cast<std::streamoff>(size) - 3);
  mend("its table does not fit its checksum");
}

TEST_F(PixelCacheTest, that_is_cut_short_meanwhile_does_not_end_the_program) {
  const auto made = cache(fails_);
  made->prepare("train");
  fs::resize_file(files().front(), 100);
  expect_equal(made->get("train", 500), Pictures(600).get("train", 500));
}

TEST_F(PixelCacheTest, says_which_files_are_used_no_more) {
  EXPECT_THAT(logged([&] { cache(fails_)->prepare("train"); }), Not(HasSubstr("used no more")));
  EXPECT_THAT(logged([&] { cache(fails_)->prepare("validation"); }), Not(HasSubstr("used no more"))) << "another split";
  EXPECT_THAT(logged([&] { cache(fails_, {.settings = "others"})->prepare("train"); }), Not(HasSubstr("used no more")));
  const std::string said = logged([&] { cache(fails_, {.storage = 2})->prepare("train"); });
  EXPECT_THAT(said,
              AllOf(HasSubstr("1 file of earlier states"), HasSubstr("MiB"), HasSubstr("rm '" + folder_.path().string())));
  std::ofstream(folder_.path() / "0123456789abcdef_train.pixels") << "of an older version";
  std::ofstream(folder_.path() / "notes.txt") << "of somebody";
  EXPECT_THAT(logged([&] { cache(fails_)->prepare("train"); }),
              AllOf(HasSubstr("2 files"), HasSubstr("0123456789abcdef_train.pixels"), Not(HasSubstr("notes.txt"))));
}

}  // namespace
}  // namespace qfw
