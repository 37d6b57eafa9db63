#include "io/checkpoint.h"

#include <fmt/format.h>
#include <hdf5.h>
#include <xxhash.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "io/checkpoint_header.h"
#include "io/checkpoint_version_1.h"
#include "io/hdf5.h"
#include "support.h"

/// HDF5 1.10 itself forgets memory when metadata fails its checksum. Leak checkers of this executable ask here.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

struct Content {
  CheckpointInfo info{.step = 123,
                      .data_epoch = 4,
                      .data_step = 56,
                      .recipe = "[model]\nname = resnet  # größer\n",
                      .data = "10 00ff\n",
                      .warm_start = true,
                      .seed = std::numeric_limits<std::int64_t>::max(),
                      .metrics = {{"eval_accuracy", 0.875}, {"eval_loss", std::numeric_limits<double>::quiet_NaN()}}};
  std::vector<CheckpointVariable> variables{
      {"stage1/block0/conv_1/kernel", {{3, 3, 4, 8}, DType::f32}},
      {"stage1/block0/conv_1/bounds", {{}, DType::f32}},
      {"dense/kernel", {{8, 10}, DType::bf16}},
      {"codes", {{5}, DType::s8}},
      {"bytes", {{2, 3}, DType::u8}},
      {"counts", {{4}, DType::s32}},
      {"nothing", {{0, 3}, DType::f32}},
  };

  /// Bytes that depend on the name alone.
  static void fill(std::string_view name, HostTensor to) {
    std::mt19937 random(static_cast<unsigned>(name.size() * 31 + static_cast<unsigned char>(name.back())));
    for (auto& byte : to.bytes) byte = static_cast<std::byte>(random());
  }
  void save(const fs::path& path) const { save_checkpoint(path, info, variables, fill); }
};

std::vector<std::byte> bytes_of(const CheckpointVariable& variable) {
  std::vector<std::byte> bytes(variable.type.bytes());
  Content::fill(variable.name, {variable.type, bytes});
  return bytes;
}

/// Whether the file says what `content` says; opening it may throw.
void expect_equal(const fs::path& path, const Content& content) {
  const Checkpoint checkpoint(path);
  EXPECT_EQ(checkpoint.info().step, content.info.step);
  EXPECT_EQ(checkpoint.info().data_epoch, content.info.data_epoch);
  EXPECT_EQ(checkpoint.info().data_step, content.info.data_step);
  EXPECT_EQ(checkpoint.info().recipe, content.info.recipe);
  EXPECT_EQ(checkpoint.info().data, content.info.data);
  EXPECT_EQ(checkpoint.info().warm_start, content.info.warm_start);
  EXPECT_EQ(checkpoint.info().seed, content.info.seed);
  ASSERT_EQ(checkpoint.info().metrics.size(), 2u);
  EXPECT_EQ(checkpoint.info().metrics.at("eval_accuracy"), 0.875);
  EXPECT_TRUE(std::isnan(checkpoint.info().metrics.at("eval_loss")));
  EXPECT_THAT(checkpoint.variables(), testing::UnorderedElementsAreArray(content.variables));
  for (const auto& variable : content.variables) {
    std::vector<std::byte> bytes(variable.type.bytes());
    checkpoint.read(variable.name, {variable.type, bytes});
    EXPECT_EQ(bytes, bytes_of(variable)) << variable.name;
  }
}

class CheckpointTest : public testing::Test {
 protected:
  std::string error(const fs::path& path, CheckpointError::Kind kind) const {
    return test::message_of(Error::Category::data, [&] {
      try {
        Checkpoint checkpoint(path);
      } catch (const CheckpointError& error) {
        EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
        throw;
      }
    });
  }

  test::TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "step_000000123.h5";
  Content content_;
};

TEST_F(CheckpointTest, GoesThereAndBack) {
  content_.save(path_);
  expect_equal(path_, content_);
  EXPECT_EQ(test::entries(folder_.path()), 1u);
}

TEST_F(CheckpointTest, EqualContentsGiveEqualBytesInAnyOrder) {
  content_.save(path_);
  const std::string first = test::slurp(path_);
  std::reverse(content_.variables.begin(), content_.variables.end());
  usleep(1100000);  // a time stamp, if there were one, would have changed
  const fs::path other = folder_.path() / "other";
  content_.save(other);
  EXPECT_TRUE(first == test::slurp(other));
  content_.info.data_step = 57;
  content_.save(other);
  EXPECT_FALSE(first == test::slurp(other));
}

TEST_F(CheckpointTest, ListsWithoutReading) {
  content_.save(path_);
  const Checkpoint checkpoint(path_);
  EXPECT_THAT(checkpoint.variables(), testing::UnorderedElementsAreArray(content_.variables));
  EXPECT_TRUE(std::is_sorted(checkpoint.variables().begin(), checkpoint.variables().end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
}

TEST_F(CheckpointTest, AnEmptyOneWorks) {
  save_checkpoint(path_, {}, {}, Content::fill);
  const Checkpoint checkpoint(path_);
  EXPECT_TRUE(checkpoint.variables().empty());
  EXPECT_EQ(checkpoint.info().step, 0);
  EXPECT_EQ(checkpoint.info().recipe, "");
}

TEST_F(CheckpointTest, ALongRecipeAndManyVariablesWork) {
  CheckpointInfo info{.recipe = std::string(300000, 'r')};
  std::vector<CheckpointVariable> variables;
  for (int i = 0; i < 700; ++i) variables.push_back({"layer" + std::to_string(i) + "/kernel", {{3, 2}, DType::f32}});
  save_checkpoint(path_, info, variables, Content::fill);
  const Checkpoint checkpoint(path_);
  EXPECT_EQ(checkpoint.info().recipe, info.recipe);
  EXPECT_THAT(checkpoint.variables(), testing::UnorderedElementsAreArray(variables));
  const fs::path other = folder_.path() / "other";
  save_checkpoint(other, info, variables, Content::fill);
  EXPECT_TRUE(test::slurp(path_) == test::slurp(other));
}

TEST_F(CheckpointTest, ReadingChecksNameAndType) {
  content_.save(path_);
  const Checkpoint checkpoint(path_);
  std::vector<std::byte> bytes(4 * 8);
  const HostTensor eight{{{8}, DType::f32}, bytes};
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoint.read("dense/bias", eight); }),
              AllOf(HasSubstr("no variable dense/bias"), HasSubstr(path_.string())));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { checkpoint.read("counts", eight); }),
              AllOf(HasSubstr("counts is s32[4]"), HasSubstr("expected f32[8]")));
}

TEST_F(CheckpointTest, AFailedSaveLeavesNothing) {
  EXPECT_THROW(save_checkpoint(path_, content_.info, content_.variables,
                               [](std::string_view, HostTensor) { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_EQ(test::entries(folder_.path()), 0u);
  const std::vector<CheckpointVariable> clash{{"a", {{1}, DType::f32}}, {"a/b", {{1}, DType::f32}}};
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { save_checkpoint(path_, {}, clash, Content::fill); }),
              HasSubstr("a/b"));
  EXPECT_EQ(test::entries(folder_.path()), 0u);
  const fs::path nowhere = folder_.path() / "missing" / "x.h5";
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { content_.save(nowhere); }), HasSubstr(nowhere.string()));
}

void expect_taken_from_metrics(const fs::path& path) {
  const Checkpoint checkpoint(path);
  EXPECT_TRUE(checkpoint.info().warm_start);
  EXPECT_EQ(checkpoint.info().seed, 42);
  EXPECT_EQ(checkpoint.info().metrics, (std::map<std::string, double>{{"eval_loss", 0.5}}));
}

const std::map<std::string, double> metrics_of_before{{"eval_loss", 0.5}, {"seed", 42}, {"warm_start", 1}};

TEST_F(CheckpointTest, WarmStartAndSeedAreFoundWhereTheyWereBefore) {
  save_checkpoint(path_, {.metrics = metrics_of_before}, content_.variables, Content::fill);
  expect_taken_from_metrics(path_);
  save_checkpoint(path_, {.metrics = {{"seed", 1e300}}}, content_.variables, Content::fill);
  EXPECT_EQ(Checkpoint(path_).info().seed, std::nullopt) << "not exact, so it cannot be compared";
  save_checkpoint(path_, {}, content_.variables, Content::fill);
  EXPECT_FALSE(Checkpoint(path_).info().warm_start);
  EXPECT_EQ(Checkpoint(path_).info().seed, std::nullopt);
}

/// Their checksum of that version covers them among the metrics.
TEST_F(CheckpointTest, WarmStartAndSeedOfVersion1AreFound) {
  CheckpointContents contents{.info = {.step = 7, .recipe = "[model]\n", .metrics = metrics_of_before},
                              .variables = {content_.variables[0]},
                              .values = {bytes_of(content_.variables[0])}};
  Hdf5Memory image;
  const hdf5::Place place{path_, {}};
  {
    const hdf5::Lock lock;
    hdf5::Handle file = hdf5::create_file(image, place);
    hdf5::write_attribute(file.get(), "format", std::string("qfw checkpoint"), place);
    hdf5::write_attribute(file.get(), "step", contents.info.step, place);
    hdf5::write_attribute(file.get(), "data_epoch", contents.info.data_epoch, place);
    hdf5::write_attribute(file.get(), "data_step", contents.info.data_step, place);
    hdf5::write_attribute(file.get(), "recipe", contents.info.recipe, place);
    hdf5::write_attribute(file.get(), "checksum", sum_of_version_1(contents), place);
    {
      const auto metrics = hdf5::create_group(file.get(), "metrics", place);
      for (const auto& [name, value] : contents.info.metrics) hdf5::write_attribute(metrics.get(), name.c_str(), value, place);
      const auto group = hdf5::create_group(file.get(), "variables", place);
      const auto& variable = contents.variables[0];
      const auto data_set = hdf5::create_data_set(group.get(), variable.name, variable.type, place);
      hdf5::write(data_set.get(), HostTensor{variable.type, contents.values[0]}, place);
    }
    hdf5::finish_file(file, image, place);
  }
  test::spew(path_, std::string(reinterpret_cast<const char*>(image.bytes().data()), image.bytes().size()));
  expect_taken_from_metrics(path_);
}

TEST_F(CheckpointTest, MissingAndForeignFilesAreRefused) {
  using Kind = CheckpointError::Kind;
  EXPECT_THAT(error(path_, Kind::unreadable), AllOf(HasSubstr("No such file"), HasSubstr(path_.string())));
  EXPECT_THAT(error(folder_.path(), Kind::unreadable), HasSubstr("it is a folder"));
  test::spew(path_, "hello");
  EXPECT_THAT(error(path_, Kind::damaged), AllOf(HasSubstr("5 bytes do not begin as one"), HasSubstr(path_.string())));
  test::spew(path_, "");
  EXPECT_THAT(error(path_, Kind::damaged), HasSubstr("empty"));
  const hid_t file = H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  EXPECT_THAT(error(path_, Kind::foreign), AllOf(HasSubstr("format is \"\""), HasSubstr("expected \"qfw checkpoint\"")));
}

TEST_F(CheckpointTest, ALaterVersionIsNoDamage) {
  content_.save(path_);
  std::string whole = test::slurp(path_);
  whole.replace(whole.find("version 2"), 9, "version 3");
  const auto end = whole.find("header ");
  whole.replace(end + 7, 16, fmt::format("{:016x}", XXH3_64bits(whole.data(), end)));
  test::spew(path_, whole);
  EXPECT_THAT(error(path_, CheckpointError::Kind::foreign),
              AllOf(HasSubstr("version 3"), HasSubstr("the program that wrote it")));
}

TEST_F(CheckpointTest, TruncatedAndGrownFilesAreRefused) {
  content_.save(path_);
  const std::string whole = test::slurp(path_);
  for (std::size_t length = whole.size() - 1; length > 0; length = length * 7 / 8) {
    test::spew(path_, whole.substr(0, length));
    EXPECT_THAT(error(path_, CheckpointError::Kind::damaged), AllOf(HasSubstr(path_.string()), HasSubstr("cut"))) << length;
  }
  test::spew(path_, whole + '\0');
  EXPECT_THAT(error(path_, CheckpointError::Kind::damaged), HasSubstr("grown"));
}

TEST_F(CheckpointTest, NoFlippedBitGoesUnnoticed) {
  content_.save(path_);
  const std::string whole = test::slurp(path_);
  std::mt19937 random(1);
  for (std::size_t at = 0; at < whole.size(); at += at < checkpoint_header_bytes ? 1 : 1 + random() % 12) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    test::spew(path_, damaged);
    EXPECT_THAT(error(path_, CheckpointError::Kind::damaged), HasSubstr(path_.string())) << "byte " << at;
  }
}

TEST_F(CheckpointTest, AFlippedWeightIsAChecksumError) {
  content_.save(path_);
  std::string whole = test::slurp(path_);
  const auto weights = bytes_of(content_.variables[0]);
  const auto at = whole.find(std::string(reinterpret_cast<const char*>(weights.data()), weights.size()));
  ASSERT_NE(at, std::string::npos);
  whole[at + 100] = static_cast<char>(whole[at + 100] ^ 1);
  test::spew(path_, whole);
  EXPECT_THAT(error(path_, CheckpointError::Kind::damaged),
              AllOf(HasSubstr("checksum"), HasSubstr("damaged"), HasSubstr(path_.string())));
}

TEST_F(CheckpointTest, HDF5ToolsOpenIt) {
  content_.save(path_);
  const hid_t file = H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(file, 0);
  EXPECT_GT(H5Lexists(file, "variables", H5P_DEFAULT), 0);
  EXPECT_GT(H5Aexists(file, "step"), 0);
  H5Fclose(file);
}

/// As the first released program wrote them: tests/golden/checkpoint_version_1.h5.
TEST_F(CheckpointTest, OneOfVersion1IsStillRead) {
  const fs::path old = fs::path(QFW_SOURCE_DIR) / "tests/golden/checkpoint_version_1.h5";
  const Checkpoint checkpoint(old);
  EXPECT_EQ(checkpoint.info().step, 7);
  EXPECT_EQ(checkpoint.info().metrics.at("eval_loss"), 0.5);
  ASSERT_EQ(checkpoint.variables().size(), 2u);
  std::vector<float> values(6);
  checkpoint.read("dense/kernel", {{{2, 3}, DType::f32}, std::as_writable_bytes(std::span(values))});
  EXPECT_EQ(values, (std::vector<float>{0, 1, 2, 3, 4, 5}));

  const std::string whole = test::slurp(old);
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::string damaged = whole;
    damaged[random() % whole.size()] ^= static_cast<char>(1 << random() % 8);
    test::spew(path_, damaged);
    try {
      const Checkpoint used(path_);
      EXPECT_EQ(used.info().recipe, checkpoint.info().recipe);
      used.read("dense/kernel", {{{2, 3}, DType::f32}, std::as_writable_bytes(std::span(values))});
      EXPECT_EQ(values, (std::vector<float>{0, 1, 2, 3, 4, 5})) << "a harmless byte, or none that is used";
    } catch (const CheckpointError& error) {
      EXPECT_THAT(error.what(), HasSubstr(path_.string()));
    }
  }
}

}  // namespace
}  // namespace qfw
