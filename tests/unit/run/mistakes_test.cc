#include "run/mistakes.h"

#include <gmock/gmock.h>

namespace qfw {
namespace {

using ::testing::ElementsAre;

Scores::Example example(std::int64_t index, std::int32_t label, std::int32_t predicted, double probability = 0.5) {
  return {
      .ahead = label == predicted ? 0 : 1, .index = index, .probability = probability, .label = label, .predicted = predicted};
}

TEST(Mistakes, AreCountedByLabelAndPrediction) {
  const std::vector<Scores::Example> examples{example(0, 0, 0), example(1, 0, 1), example(2, 1, 1),
                                              example(3, 0, 1), example(4, 3, 0), example(5, 1, 1)};
  const Mistakes mistakes = mistakes_in(examples, 4);
  EXPECT_THAT(mistakes.matrix,
              ElementsAre(ElementsAre(1, 2, 0, 0), ElementsAre(0, 2, 0, 0), ElementsAre(0, 0, 0, 0), ElementsAre(1, 0, 0, 0)));
  ASSERT_EQ(mistakes.confusions.size(), 2u);
  EXPECT_EQ(mistakes.confusions[0].label, 0);
  EXPECT_EQ(mistakes.confusions[0].predicted, 1);
  EXPECT_EQ(mistakes.confusions[0].count, 2);
  EXPECT_EQ(mistakes.confusions[1].label, 3);
  EXPECT_THAT(mistakes.recall, ElementsAre(1.0 / 3, 1.0, std::nullopt, 0.0));
}

TEST(Mistakes, TheMostConfidentComeFirstAndTheEarlierOfEqualOnes) {
  std::vector<Scores::Example> examples;
  for (int i = 0; i < 100; ++i) examples.push_back(example(i, 0, i % 2, i % 10 == 3 ? 0.9 : 0.3 + i / 1000.0));
  examples.push_back(example(100, 1, 1, 1.0));
  const Mistakes mistakes = mistakes_in(examples, 2);
  ASSERT_EQ(mistakes.worst.size(), Mistakes::most_worst);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(mistakes.worst[static_cast<std::size_t>(i)].index, 10 * i + 3);
  EXPECT_EQ(mistakes.worst[10].index, 99);
  EXPECT_EQ(mistakes.worst[11].index, 97);
}

TEST(Mistakes, OfManyClassesHaveNoMatrixAndAtMostFiftyPairs) {
  std::vector<Scores::Example> examples;
  for (int i = 0; i < 80; ++i) examples.push_back(example(i, i, i + 1));
  examples.push_back(example(80, 79, 80));
  const Mistakes mistakes = mistakes_in(examples, 101);
  EXPECT_TRUE(mistakes.matrix.empty());
  ASSERT_EQ(mistakes.confusions.size(), Mistakes::most_confusions);
  EXPECT_EQ(mistakes.confusions[0].label, 79);
  EXPECT_EQ(mistakes.confusions[1].label, 0);
  EXPECT_EQ(mistakes.recall.size(), 101u);
  EXPECT_FALSE(mistakes_in(examples, 100).matrix.empty());
}

TEST(Mistakes, OfAPerfectEvaluationAreNone) {
  const std::vector<Scores::Example> examples{example(0, 0, 0)};
  const Mistakes mistakes = mistakes_in(examples, 1);
  EXPECT_TRUE(mistakes.confusions.empty());
  EXPECT_TRUE(mistakes.worst.empty());
}

}  // namespace
}  // namespace qfw
