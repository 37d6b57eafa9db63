#include "data/pipeline.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <map>
#include <set>
#include <thread>

#include "data/shuffle.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;

/// Example i has the pixels i, i + 1 (mod 256) and the label i mod 7; notes who was asked for.
class Numbers : public Dataset {
 public:
  explicit Numbers(std::int64_t size) : size_(size), bytes_(static_cast<std::size_t>(size) + 1) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>(i);
  }
  std::int64_t classes() const override { return 7; }
  Shape shape() const override { return {1, 2, 1}; }
  std::int64_t size(std::string_view) const override { return size_; }
  Example get(std::string_view, std::int64_t index) const override {
    ++gets;
    if (index == bad) fail(Error::Category::data, "numbers", "record 13 is damaged");
    std::this_thread::sleep_for(std::chrono::microseconds(delay_us * (index % 5)));
    return {.shape = shape(),
            .bytes = std::span(bytes_).subspan(static_cast<std::size_t>(index), 2),
            .label = unlabelled_from >= 0 && index >= unlabelled_from ? -1
                     : index == odd_label                             ? 7
                                                                      : index % 7};
  }

  mutable std::atomic<int> gets = 0;
  std::int64_t bad = -1, odd_label = -1, unlabelled_from = -1;
  int delay_us = 0;

 private:
  std::int64_t size_;
  std::vector<std::byte> bytes_;
};

/// Pixels as they are, plus a random number in training.
class Noise final : public Augment {
 public:
  Shape output(const Shape& source) const override { return source; }
  void apply(const Example& example, RandomStream& random, bool training, std::span<float> image) const override {
    const float noise = training ? static_cast<float>(random.uniform() / 2) : 0;
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(static_cast<int>(example.bytes[i])) + noise;
  }
};

/// A copy of a batch.
struct Copy {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  int count;
  DataPosition position;
  bool operator==(const Copy&) const = default;
};

std::optional<Copy> copy_next(Pipeline& pipeline) {
  const auto batch = pipeline.next();
  if (!batch) return std::nullopt;
  return Copy{{batch->images.begin(), batch->images.end()},
              {batch->labels.begin(), batch->labels.end()},
              batch->count,
              batch->position};
}

std::vector<Copy> take(Pipeline& pipeline, int batches) {
  std::vector<Copy> all;
  for (int i = 0; i < batches; ++i) {
    auto batch = copy_next(pipeline);
    if (!batch) break;
    all.push_back(std::move(*batch));
  }
  return all;
}

class PipelineTest : public testing::Test {
 protected:
  Numbers data_{103};
  Noise noise_;
};

TEST_F(PipelineTest, EvaluationCoversEveryImageOnceInOrder) {
  for (const int workers : {1, 3}) {
    Pipeline pipeline(data_, noise_,
                      {.split = "validation", .batch = 10, .training = false, .workers = workers, .prefetch = 3});
    EXPECT_EQ(pipeline.steps_per_epoch(), 11);
    const auto batches = take(pipeline, 100);
    ASSERT_EQ(batches.size(), 11u);
    for (int i = 0; i < 103; ++i) {
      const auto& batch = batches[static_cast<std::size_t>(i / 10)];
      EXPECT_EQ(batch.images[static_cast<std::size_t>(i % 10 * 2)], i);
      EXPECT_EQ(batch.labels[static_cast<std::size_t>(i % 10)], i % 7);
    }
    EXPECT_EQ(batches[9].count, 10);
    EXPECT_EQ(batches[10].count, 3);
    for (std::size_t row = 3; row < 10; ++row) {
      EXPECT_EQ(batches[10].images[2 * row], 0);
      EXPECT_EQ(batches[10].images[2 * row + 1], 0);
      EXPECT_EQ(batches[10].labels[row], 0);
    }
    EXPECT_FALSE(pipeline.next());
    EXPECT_FALSE(pipeline.next());
  }
}

TEST_F(PipelineTest, TheLimitOnExamplesHolds) {
  Pipeline pipeline(data_, noise_, {.batch = 8, .training = false, .examples = 20});
  EXPECT_EQ(pipeline.examples(), 20);
  const auto batches = take(pipeline, 100);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[2].count, 4);
  Pipeline all(data_, noise_, {.batch = 8, .training = false, .examples = 2000});
  EXPECT_EQ(all.examples(), 103);
}

TEST_F(PipelineTest, TrainingShufflesEachEpochAndDropsThePartialBatch) {
  Pipeline pipeline(data_, noise_, {.batch = 10, .seed = 5, .workers = 2});
  EXPECT_EQ(pipeline.steps_per_epoch(), 10);
  std::vector<std::vector<int>> epochs;
  for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
    std::vector<int> order;
    for (std::uint64_t step = 0; step < 10; ++step) {
      EXPECT_EQ(pipeline.position(), (DataPosition{epoch, step}));
      const auto batch = copy_next(pipeline);
      EXPECT_EQ(batch->position, (DataPosition{epoch, step}));
      EXPECT_EQ(batch->count, 10);
      for (std::size_t row = 0; row < 10; ++row) {
        order.push_back(static_cast<int>(batch->images[2 * row]));
        EXPECT_EQ(batch->labels[row], order.back() % 7);
      }
    }
    EXPECT_EQ(std::set<int>(order.begin(), order.end()).size(), 100u) << "an example came twice";
    EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
    epochs.push_back(order);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
}

TEST_F(PipelineTest, ThreadsAndPrefetchChangeNothing) {
  data_.delay_us = 20;
  Pipeline reference(data_, noise_, {.batch = 9, .seed = 3, .workers = 1, .prefetch = 1});
  const auto expected = take(reference, 30);
  for (const auto& [workers, prefetch] : {std::pair{2, 1}, {4, 3}, {7, 40}}) {
    Pipeline pipeline(data_, noise_, {.batch = 9, .seed = 3, .workers = workers, .prefetch = prefetch});
    EXPECT_EQ(take(pipeline, 30), expected) << workers << " workers";
  }
  Pipeline other(data_, noise_, {.batch = 9, .seed = 4});
  EXPECT_NE(take(other, 1), take(reference, 1));
}

TEST_F(PipelineTest, GoesOnAnywhereWithoutDecodingWhatCameBefore) {
  Pipeline whole(data_, noise_, {.batch = 10, .seed = 9, .workers = 2});
  const auto expected = take(whole, 35);
  const int before = data_.gets;
  Pipeline resumed(data_, noise_, {.batch = 10, .seed = 9, .workers = 3, .prefetch = 1, .start = {2, 7}});
  EXPECT_EQ(resumed.position(), (DataPosition{2, 7}));
  const auto rest = take(resumed, 8);
  EXPECT_EQ(rest, std::vector<Copy>(expected.begin() + 27, expected.end()));
  EXPECT_LE(data_.gets - before, (8 + 2 + 1) * 10 + 70);  // what the first pipeline still prefetches comes on top

  Pipeline carried(data_, noise_, {.batch = 10, .seed = 9, .start = {2, 10}});  // a checkpoint at an epoch's very end
  EXPECT_EQ(carried.position(), (DataPosition{3, 0}));
}

TEST_F(PipelineTest, ReplicasShareOutTheSameOrder) {
  Pipeline one(data_, noise_, {.batch = 12, .seed = 8});
  Pipeline left(data_, noise_, {.batch = 6, .seed = 8, .rank = 0, .replicas = 2});
  Pipeline right(data_, noise_, {.batch = 6, .seed = 8, .rank = 1, .replicas = 2});
  for (int step = 0; step < 20; ++step) {
    const auto both = copy_next(one);
    auto first = copy_next(left), second = copy_next(right);
    EXPECT_EQ(first->position, both->position);
    first->images.insert(first->images.end(), second->images.begin(), second->images.end());
    EXPECT_EQ(first->images, both->images);
  }
}

TEST_F(PipelineTest, ReplicasEvaluateInStepEvenWhenNothingIsLeft) {
  Numbers data(25);
  std::vector<int> counts[3];
  std::multiset<float> seen;
  for (int rank = 0; rank < 3; ++rank) {
    Pipeline pipeline(data, noise_, {.batch = 4, .training = false, .rank = rank, .replicas = 3});
    while (const auto batch = pipeline.next()) {
      counts[rank].push_back(batch->count);
      for (int row = 0; row < batch->count; ++row) seen.insert(batch->images[static_cast<std::size_t>(2 * row)]);
    }
  }
  EXPECT_EQ(counts[0], (std::vector{4, 4, 1}));
  EXPECT_EQ(counts[1], (std::vector{4, 4, 0}));
  EXPECT_EQ(counts[2], (std::vector{4, 4, 0}));
  EXPECT_EQ(seen.size(), 25u);
  EXPECT_EQ(std::set<float>(seen.begin(), seen.end()).size(), 25u);
}

TEST_F(PipelineTest, PrefetchIsBounded) {
  Pipeline pipeline(data_, noise_, {.batch = 5, .workers = 2, .prefetch = 2});
  pipeline.next();
  for (int i = 0; i < 2000 && data_.gets < 15 + 1; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_EQ(data_.gets, 15 + 1) << "one batch in use and two ahead, and a look at a label";
}

/// Notes with what priority examples are asked for.
class Priorities final : public Numbers {
 public:
  using Numbers::Numbers;
  Example get(std::string_view split, std::int64_t index) const override {
    nice = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
    policy = sched_getscheduler(0);
    return Numbers::get(split, index);
  }
  mutable std::atomic<int> nice = -100, policy = -1;
};

TEST_F(PipelineTest, TellsOfWholeBatchesThatAreReady) {
  Pipeline pipeline(data_, noise_, {.batch = 40, .training = false, .prefetch = 1});  // 103 examples
  const auto first = pipeline.next();
  const std::vector<float> of_first(first->images.begin(), first->images.end());
  std::optional<std::span<const float>> upcoming;
  while (!(upcoming = pipeline.upcoming())) std::this_thread::yield();
  EXPECT_TRUE(std::ranges::equal(first->images, of_first)) << "the batch at hand stays";
  const auto second = pipeline.next();
  EXPECT_EQ(upcoming->data(), second->images.data());
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(pipeline.upcoming()) << "the rest of the split fills no batch";
  pipeline.next();
  EXPECT_FALSE(pipeline.upcoming());

  data_.bad = 60;
  Pipeline fails(data_, noise_, {.batch = 40, .training = false, .prefetch = 2});
  fails.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(fails.upcoming()) << "a batch that cannot be read is next()'s to tell";
}

TEST_F(PipelineTest, WorkersGiveWayToThoseWhoCompute) {
  const Priorities numbers(20);
  Pipeline pipeline(numbers, noise_, {.batch = 5, .workers = 2});
  pipeline.next();
  const int here = getpriority(PRIO_PROCESS, static_cast<id_t>(gettid()));
  EXPECT_EQ(numbers.nice, std::min(here + 5, 19));
  EXPECT_EQ(numbers.policy, SCHED_BATCH);
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER) << "this thread is as it was";
}

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

TEST_F(PipelineTest, WorkersSleepWhileEnoughIsReady) {
  const Numbers numbers(1000);
  Pipeline pipeline(numbers, noise_, {.batch = 5, .workers = 4, .prefetch = 3});
  pipeline.next();
  for (int i = 0; i < 1000 && numbers.gets < 20 + 1; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  EXPECT_LT(processor_seconds() - before, 0.2) << "four threads that look for work without end take 1 at least";
  EXPECT_EQ(numbers.gets, 20 + 1) << "and one whose label was looked at";
}

TEST_F(PipelineTest, BuffersAreAlignedAndReused) {
  Pipeline pipeline(data_, noise_, {.batch = 5, .prefetch = 2});
  std::set<const float*> buffers;
  for (int i = 0; i < 50; ++i) {
    const auto batch = pipeline.next();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch->images.data()) % 64, 0u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch->labels.data()) % 64, 0u);
    buffers.insert(batch->images.data());
  }
  EXPECT_EQ(buffers.size(), 3u);
}

TEST_F(PipelineTest, AWorkersErrorArrivesWithItsBatch) {
  data_.bad = 57;
  Pipeline pipeline(data_, noise_, {.batch = 10, .training = false, .workers = 3, .prefetch = 8});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(pipeline.next());
  for (int again = 0; again < 2; ++again) {
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { pipeline.next(); }), HasSubstr("record 13 is damaged"));
  }
}

TEST_F(PipelineTest, LabelsAreChecked) {
  data_.odd_label = 4;
  Pipeline pipeline(data_, noise_, {.batch = 10, .training = false});
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { pipeline.next(); }),
              testing::AllOf(HasSubstr("label 7"), HasSubstr("example 4 of train")));
}

TEST_F(PipelineTest, CorruptExamplesAreReplacedInTraining) {
  data_.bad = 57;
  CorruptExamples corrupt(true, 1);
  const auto epoch = [&](int workers) {
    Pipeline pipeline(data_, noise_, {.batch = 103, .workers = workers, .corrupt = &corrupt});
    return take(pipeline, 2);
  };
  const auto first = epoch(1);
  EXPECT_EQ(first, epoch(4)) << "whatever the number of threads";
  for (const Copy& batch : first) {
    std::multiset<int> seen;
    for (std::size_t row = 0; row < 103; ++row) seen.insert(static_cast<int>(batch.images[2 * row]));
    EXPECT_EQ(seen.count(57), 0u);
    EXPECT_EQ(seen.count(58), 2u) << "the next one stands in";
    EXPECT_EQ(batch.count, 103);
  }
  EXPECT_EQ(corrupt.count(), 1) << "met in two epochs of two pipelines, counted once";
  EXPECT_THAT(corrupt.messages(), testing::ElementsAre(HasSubstr("record 13 is damaged")));
}

TEST_F(PipelineTest, CorruptExamplesAreLeftOutOfEvaluations) {
  data_.bad = 57;
  CorruptExamples corrupt(true, 1);
  Pipeline pipeline(data_, noise_, {.batch = 103, .training = false, .corrupt = &corrupt});
  const auto batch = copy_next(pipeline);
  EXPECT_EQ(batch->labels[57], -1);
  EXPECT_EQ(batch->images[2 * 57], 0);
  EXPECT_EQ(batch->labels[58], 58 % 7);
  EXPECT_EQ(std::ranges::count(batch->labels, -1), 1);
}

TEST_F(PipelineTest, CorruptExamplesHaveACeiling) {
  data_.bad = 57;
  CorruptExamples none(true, 0), fails(false, 10);
  for (CorruptExamples* corrupt : {&none, &fails}) {
    Pipeline pipeline(data_, noise_, {.batch = 103, .training = false, .corrupt = corrupt});
    const std::string message = test::message_of(Error::Category::data, [&] { pipeline.next(); });
    EXPECT_THAT(message, HasSubstr("record 13 is damaged"));
    EXPECT_EQ(message.find("more than 0 corrupt examples") != std::string::npos, corrupt == &none);
  }
}

TEST_F(PipelineTest, StopsAtAnyMoment) {
  data_.delay_us = 50;
  for (int i = 0; i < 60; ++i) {
    Pipeline pipeline(data_, noise_, {.batch = 7, .workers = 3, .prefetch = 2});
    for (int taken = 0; taken < i % 4; ++taken) pipeline.next();
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // now they wait for room
  }
}

TEST_F(PipelineTest, ImpossibleSettingsAreRefused) {
  const auto error = [&](PipelineSettings settings) {
    return test::message_of(Error::Category::usage, [&] { Pipeline(data_, noise_, settings); });
  };
  EXPECT_THAT(error({.batch = 0}), HasSubstr("batch of 0"));
  EXPECT_THAT(error({.batch = 104}), testing::AllOf(HasSubstr("103 examples"), HasSubstr("104 x 1")));
  EXPECT_THAT(error({.batch = 60, .replicas = 2}), HasSubstr("60 x 2"));
  EXPECT_THAT(error({.batch = 1, .workers = 0}), HasSubstr("0 workers"));
  EXPECT_THAT(error({.batch = 1, .rank = 2, .replicas = 2}), HasSubstr("replica 2 of 2"));
  Pipeline(data_, noise_, {.batch = 104, .training = false});
}

TEST_F(PipelineTest, ASplitWithoutLabelsIsRefusedAtOnce) {
  data_.unlabelled_from = 0;
  for (const bool training : {true, false}) {
    const PipelineSettings settings{.split = "test", .batch = 10, .training = training};
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { Pipeline(data_, noise_, settings); }),
                HasSubstr("split test has no labels (-1)"));
  }
  data_.unlabelled_from = 1;  // one has a label, so each of the others is bad
  Pipeline pipeline(data_, noise_, {.batch = 10, .training = false});
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { pipeline.next(); }),
              testing::AllOf(HasSubstr("the example has no label (-1)"), HasSubstr("example 1 of train")));
}

TEST(Shuffle, IsAPermutationOfSeedAndEpoch) {
  const auto order = shuffled_order(1, 2, 1000);
  auto sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(sorted[i], i);
  EXPECT_EQ(order, shuffled_order(1, 2, 1000));
  EXPECT_NE(order, shuffled_order(1, 3, 1000));
  EXPECT_NE(order, shuffled_order(2, 2, 1000));
  EXPECT_EQ(shuffled_order(1, 2, 1), std::vector<std::uint32_t>{0});
}

TEST(Shuffle, TakesEveryOrderAboutEquallyOften) {
  std::map<std::vector<std::uint32_t>, int> counts;
  constexpr int draws = 6000;
  for (std::uint64_t epoch = 0; epoch < draws; ++epoch) ++counts[shuffled_order(7, epoch, 3)];
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, draws / 6, 150);  // 5 standard deviations
}

TEST(StepsPerEpoch, CountsWholeOrAllBatches) {
  EXPECT_EQ(steps_per_epoch(60000, 64, 1, true), 937);
  EXPECT_EQ(steps_per_epoch(60000, 64, 1, false), 938);
  EXPECT_EQ(steps_per_epoch(60000, 64, 4, true), 234);
}

}  // namespace
}  // namespace qfw
