#include "run/scores.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "qfw/error.h"
#include "support/files.h"

namespace qfw {
namespace {

Scores of(const std::vector<float>& logits, const std::vector<std::int32_t>& labels, std::int64_t classes) {
  Scores scores;
  scores.add(logits, labels, classes);
  return scores;
}

TEST(Scores, TopOneAndTopFive) {
  const std::vector<float> row{7, 6, 5, 4, 3, 2};
  EXPECT_EQ(of(row, {0}, 6).top1(), 1);
  EXPECT_EQ(of(row, {1}, 6).top1(), 0);
  EXPECT_EQ(of(row, {4}, 6).top5(), 1);
  EXPECT_EQ(of(row, {5}, 6).top5(), 0);
}

TEST(Scores, OfEqualLogitsTheLowerClassComesFirst) {
  EXPECT_EQ(of({1, 1}, {0}, 2).top1(), 1);
  EXPECT_EQ(of({1, 1}, {1}, 2).top1(), 0);
}

TEST(Scores, AnExampleWithALogitThatIsNoNumberIsAMiss) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(of({nan, 1}, {1}, 2).top1(), 0);
  EXPECT_EQ(of({nan, 1}, {0}, 2).top1(), 0);
}

TEST(Scores, CrossEntropyOfLargeLogitsIsFinite) {
  EXPECT_DOUBLE_EQ(of({0, 0}, {0}, 2).loss(), std::log(2.0));
  EXPECT_DOUBLE_EQ(of({3e38f, 0}, {0}, 2).loss(), 0);
  EXPECT_DOUBLE_EQ(of({3e38f, 0}, {1}, 2).loss(), 3e38f);
}

TEST(Scores, RowsWithoutLabelCountNowhere) {
  const Scores scores = of({0, 0, 5, 0, 0, 0}, {0, -1, 1}, 2);
  EXPECT_EQ(scores.examples(), 2);
  EXPECT_EQ(scores.top1(), 0.5);
  EXPECT_EQ(of({0, 0}, {-1}, 2).loss(), 0);
}

TEST(Scores, ALabelBeyondTheClassesIsRefused) {
  for (const std::int32_t label : {2, -2})
    EXPECT_THAT(test::message_of(Error::Category::data,
                                 [&] {
                                   of({0, 0}, {label}, 2);
                                 }),
                ::testing::HasSubstr(std::to_string(label) + " of 2 classes"));
}

TEST(Scores, AnExampleTellsWhatItWasTakenForAndHowSurely) {
  const std::vector<float> logits{1, 3, 3, 0, 0, 0, 5, 0, 0};
  const auto examples = Scores::judge(logits, std::vector<std::int32_t>{2, -1, 0}, 3, 40);
  ASSERT_EQ(examples.size(), 2u);
  EXPECT_EQ(examples[0].index, 40);
  EXPECT_EQ(examples[0].label, 2);
  EXPECT_EQ(examples[0].predicted, 1) << "the first of equal ones";
  EXPECT_FALSE(examples[0].right());
  EXPECT_DOUBLE_EQ(examples[0].probability, 1 / (2 + std::exp(-2.0)));
  EXPECT_DOUBLE_EQ(std::exp(-examples[0].loss), examples[0].probability) << "the label's logit is as large";
  EXPECT_EQ(examples[1].index, 42) << "a row without label counts as a place";
  EXPECT_EQ(examples[1].predicted, 0);
  EXPECT_TRUE(examples[1].right());
}

TEST(Scores, JudgedApartAndAddedUpInOrderTheyAreTheSameBits) {
  constexpr std::int64_t classes = 7;
  constexpr std::size_t examples = 500;
  std::vector<float> logits(examples * classes);
  std::vector<std::int32_t> labels(examples);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i * i % 977)) * 20;
  for (std::size_t i = 0; i < examples; ++i) labels[i] = i % 11 == 0 ? -1 : static_cast<std::int32_t>(i % classes);
  const Scores together = of(logits, labels, classes);
  Scores apart;
  for (std::size_t begin = 0; begin < examples; begin += 100) {
    const auto rows = std::span(logits).subspan(begin * classes, 100 * classes);
    for (const auto& example : Scores::judge(rows, std::span(labels).subspan(begin, 100), classes)) apart.add(example);
  }
  EXPECT_EQ(apart.examples(), together.examples());
  EXPECT_EQ(apart.top1(), together.top1());
  EXPECT_EQ(apart.top5(), together.top5());
  EXPECT_EQ(apart.loss(), together.loss());
}

}  // namespace
}  // namespace qfw
