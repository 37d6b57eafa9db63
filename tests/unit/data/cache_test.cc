#include <thread>

#include "data/memory_cache.h"
#include "data/resized.h"
#include "data/subset.h"
#include "pictures.h"

namespace qfw {
namespace {

using test::expect_equal;
using test::Pictures;

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

}  // namespace
}  // namespace qfw
