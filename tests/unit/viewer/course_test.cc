#include "viewer/course.h"

#include <cmath>
#include <limits>

#include "support.h"

namespace qfw::viewer {
namespace {

using testing::ElementsAre;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::string_view columns[] = {"loss", "rate"};

void add(Course& course, double step, double loss) { ASSERT_TRUE(course.add(step, std::array{loss, 0.5})); }

TEST(Course, KeepsFewRowsAsTheyAre) {
  Course course(columns, 10);
  for (int step = 1; step <= 4; ++step) add(course, step, 1.0 / step);
  const auto all = course.since(0);
  EXPECT_THAT(test::numbers(all.at("step")), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(test::numbers(all.at("mean").at("loss")), ElementsAre(1, 0.5, 1.0 / 3, 0.25));
  EXPECT_TRUE(all.at("low").is_null());
  EXPECT_EQ(all.at("rows").to_number<int>(), 4);
}

TEST(Course, ThinsWithoutLosingASpike) {
  Course course(columns, 100);
  for (int step = 1; step <= 100'000; ++step) add(course, step, step == 77'777 ? 99 : step % 2);
  const auto all = course.since(0);
  const auto steps = test::numbers(all.at("step")), high = test::numbers(all.at("high").at("loss"));
  EXPECT_LE(steps.size(), 100u);
  EXPECT_GE(steps.size(), 50u);
  EXPECT_EQ(*std::ranges::max_element(high), 99);
  const auto spike = static_cast<std::size_t>(std::ranges::max_element(high) - high.begin());
  EXPECT_NEAR(steps[spike], 77'777, 100'000.0 / 50);
  for (const double low : test::numbers(all.at("low").at("loss"))) EXPECT_EQ(low, 0);
  EXPECT_NEAR(test::numbers(all.at("mean").at("loss"))[3], 0.5, 1e-6);
  EXPECT_EQ(all.at("rows").to_number<int>(), 100'000);
}

TEST(Course, RefusesStepsThatDoNotRise) {
  Course course(columns, 10);
  add(course, 5, 1);
  EXPECT_FALSE(course.add(5, std::array{1.0, 1.0}));
  EXPECT_FALSE(course.add(4, std::array{1.0, 1.0}));
  EXPECT_FALSE(course.add(std::nan(""), std::array{1.0, 1.0}));
  EXPECT_FALSE(course.add(infinity, std::array{1.0, 1.0}));
  EXPECT_EQ(course.rows(), 1u);
}

TEST(Course, LeavesOutWhatIsNoNumber) {
  Course course(columns, 2);
  course.add(1, std::array{std::nan(""), 1.0});
  course.add(2, std::array{infinity, 2.0});
  course.add(3, std::array{7.0, 3.0});
  const auto all = course.since(0);  // 1 and 2 are one point now
  EXPECT_TRUE(all.at("mean").at("loss").at(0).is_null());
  EXPECT_EQ(all.at("mean").at("loss").at(1), 7.0);
  EXPECT_EQ(all.at("mean").at("rate").at(0), 1.5);
}

/// What a reader puts together from news is what a document of all says.
TEST(Course, NewsAddUpToTheWhole) {
  Course course(columns, 8);
  std::vector<double> steps, losses;
  std::uint64_t generation = course.generation();
  std::size_t known = 0;
  for (int step = 1; step <= 100; ++step) {
    add(course, step, step);
    const bool same = generation == course.generation();
    const auto news = course.since(same ? known : 0);
    const auto from = news.at("from").to_number<std::size_t>();
    ASSERT_LE(from, steps.size());
    steps.resize(from);
    losses.resize(from);
    for (const double value : test::numbers(news.at("step"))) steps.push_back(value);
    for (const double value : test::numbers(news.at("mean").at("loss"))) losses.push_back(value);
    const auto all = course.since(0);
    ASSERT_EQ(steps, test::numbers(all.at("step"))) << step;
    ASSERT_EQ(losses, test::numbers(all.at("mean").at("loss"))) << step;
    generation = course.generation();
    known = course.settled();
  }
}

TEST(Course, AnImpossibleBeginGivesNothing) {
  Course course(columns, 8);
  add(course, 1, 1);
  EXPECT_TRUE(course.since(1'000'000).at("step").as_array().empty());
}

}  // namespace
}  // namespace qfw::viewer
