#include <atomic>
#include <fstream>
#include <thread>

#include "data/memory_cache.h"
#include "data/pixel_cache.h"
#include "data/resized.h"
#include "data/subset.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;

/// Example i of n is a picture of 4 x (4 + i) pixels of the level i, named after its number.
class Pictures : public Dataset {
 public:
  explicit Pictures(std::int64_t size, int shift = 0) : size_(size), shift_(shift) {}
  std::int64_t classes() const override { return 3; }
  Shape shape() const override { return {}; }
  std::int64_t size(std::string_view) const override { return size_; }
  Example get(std::string_view split, std::int64_t index) const override {
    ++gets;
    if (index == bad) fail(Error::Category::data, "pictures", "damaged", place(split, index));
    struct Owned {
      std::vector<std::byte> bytes;
      std::string name;
    };
    const auto owned = std::make_shared<Owned>();
    owned->bytes.assign(static_cast<std::size_t>(12 * (4 + index)), static_cast<std::byte>(index + shift_));
    owned->name = std::to_string(index);
    return {.shape = {4, 4 + index, 3}, .bytes = owned->bytes, .label = index % 3, .name = owned->name, .owner = owned};
  }
  mutable std::atomic<int> gets = 0;
  std::int64_t bad = -1;

 private:
  std::int64_t size_;
  int shift_;
};

void expect_equal(const Example& a, const Example& b) {
  EXPECT_TRUE(std::ranges::equal(a.bytes, b.bytes));
  EXPECT_EQ(a.shape, b.shape);
  EXPECT_EQ(a.label, b.label);
}

TEST(MemoryCache, reads_every_example_once_within_its_budget) {
  auto owned = std::make_unique<Pictures>(10);
  const Pictures& pictures = *owned;
  const MemoryCache cache(std::move(owned), 1 << 20);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (std::int64_t i = 0; i < 10; ++i) {
          const Example example = cache.get("train", i);
          ASSERT_EQ(example.name, std::to_string(i));
          expect_equal(example, Pictures(10).get("train", i));
        }
      });
    }
    for (auto& thread : threads) thread.join();
    if (round > 0) {
      EXPECT_LE(pictures.gets, 40);
    }
  }
  const int before = pictures.gets;
  cache.get("train", 3);
  EXPECT_EQ(pictures.gets, before);
  cache.get("validation", 3);
  EXPECT_EQ(pictures.gets, before + 1) << "splits are told apart";
}

TEST(MemoryCache, keeps_no_more_than_its_budget) {
  auto owned = std::make_unique<Pictures>(10);
  const Pictures& pictures = *owned;
  const MemoryCache cache(std::move(owned), 100);  // two of the smallest
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t i = 0; i < 10; ++i) expect_equal(cache.get("train", i), Pictures(10).get("train", i));
  }
  EXPECT_LE(cache.bytes(), 100);
  EXPECT_GT(cache.bytes(), 0);
  EXPECT_LT(pictures.gets, 20);
  EXPECT_GT(pictures.gets, 15);
}

TEST(Resized, shrinks_to_a_side_or_to_a_square) {
  const Resized smaller(std::make_unique<Pictures>(10), 2, Resized::Fit::shorter_side),
      square(std::make_unique<Pictures>(10), 5, Resized::Fit::square),
      larger(std::make_unique<Pictures>(10), 100, Resized::Fit::shorter_side);
  EXPECT_EQ(smaller.get("train", 4).shape, (Shape{2, 4, 3}));
  EXPECT_EQ(square.get("train", 4).shape, (Shape{5, 5, 3}));
  EXPECT_EQ(square.shape(), (Shape{5, 5, 3}));
  expect_equal(larger.get("train", 4), Pictures(10).get("train", 4));
  for (const std::byte level : square.get("train", 7).bytes)
    ASSERT_EQ(static_cast<int>(level), 7) << "an even picture stays even";
  EXPECT_EQ(smaller.get("train", 4).name, "4");
}

TEST(Subset, gives_chosen_examples) {
  const Subset subset(std::make_unique<Pictures>(10), {{"train", {7, 2}}});
  EXPECT_EQ(subset.size("train"), 2);
  EXPECT_EQ(subset.size("validation"), 10);
  EXPECT_EQ(subset.get("train", 1).name, "2");
  EXPECT_EQ(subset.place("train", 0), "example 7 of train");
}

class PixelCacheTest : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
  CorruptExamples fails_{false, 0}, skips_{true, 5};
  const Pictures* pictures_ = nullptr;

  std::unique_ptr<PixelCache> cache(CorruptExamples& corrupt, std::string identity = "pictures", std::int64_t bad = -1,
                                    int shift = 0) {
    auto pictures = std::make_unique<Pictures>(600, shift);
    pictures->bad = bad;
    pictures_ = pictures.get();
    return std::make_unique<PixelCache>(std::move(pictures), PixelCache::Settings{folder_.path(), std::move(identity), 3},
                                        corrupt);
  }
  std::filesystem::path only_file() const {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path().extension() == ".pixels") found = entry.path();
    }
    return found;
  }
};

TEST_F(PixelCacheTest, is_made_once_and_shared) {
  for (const bool first : {true, false}) {
    const auto made = cache(fails_);
    made->prepare("train");
    EXPECT_EQ(pictures_->gets > 600, first) << "the second only looks whether it is the same data set";
    const int before = pictures_->gets;
    for (std::int64_t i : {0, 5, 599}) expect_equal(made->get("train", i), Pictures(600).get("train", i));
    EXPECT_EQ(pictures_->gets, before);
  }
}

TEST_F(PixelCacheTest, of_another_data_set_is_another_file) {
  cache(fails_)->prepare("train");
  cache(fails_, "others")->prepare("train");
  cache(fails_, "pictures", -1, 1)->prepare("train");  // the same settings, other bytes
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) files += entry.path().extension() == ".pixels";
  EXPECT_EQ(files, 3);
}

TEST_F(PixelCacheTest, goes_on_where_it_was_stopped) {
  EXPECT_THROW(cache(fails_, "pictures", 400)->prepare("train"), Error);  // as if killed there: whole blocks are written
  EXPECT_TRUE(only_file().empty());
  const auto again = cache(fails_, "pictures", 400);
  EXPECT_THROW(again->prepare("train"), Error);
  EXPECT_LT(pictures_->gets, 500) << "the first block is not read again";
}

TEST_F(PixelCacheTest, remembers_corrupt_examples) {
  const auto made = cache(skips_, "pictures", 400);
  made->prepare("train");
  EXPECT_EQ(skips_.count(), 1);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { made->get("train", 400); }), HasSubstr("example 400 of train"));
  expect_equal(made->get("train", 401), Pictures(600).get("train", 401));
}

TEST_F(PixelCacheTest, notices_damage) {
  cache(fails_)->prepare("train");
  const auto file = only_file();
  const auto size = std::filesystem::file_size(file);
  {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(200);
    stream.put('\x55');  // within the first pictures
  }
  const auto damaged = cache(fails_);
  damaged->prepare("train");
  int errors = 0;
  for (std::int64_t i = 0; i < 10; ++i) {
    try {
      damaged->get("train", i);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("does not fit its checksum"));
      ++errors;
    }
  }
  EXPECT_EQ(errors, 1);
  std::filesystem::resize_file(file, size - 8);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { cache(fails_)->prepare("train"); }),
              HasSubstr("it is not complete"));
}

}  // namespace
}  // namespace qfw
