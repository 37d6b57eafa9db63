#include "run/calibrate.h"

#include <gmock/gmock.h>

#include <cmath>
#include <csignal>
#include <cstring>

#include "data/spread.h"
#include "io/checkpoint_folder.h"
#include "run/batch_moments.h"
#include "run/trainer.h"
#include "support/files.h"
#include "unit/run/micro.h"
#include "util/interrupt.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

class CalibrateTest : public ::testing::Test {
 protected:
  /// A float network after two steps.
  CalibrateTest() : floats_(test::micro_recipe(folder_.path(), {"quantizer.name=none", "train.steps=2"})) {
    Trainer(floats_).run();
    checkpoint_ = std::make_unique<Checkpoint>(checkpoint_path(floats_.run_dir() / "checkpoints", 2));
  }

  Recipe recipe(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), "run.dir=" + (folder_.path() / "calibrated").string());
    return test::micro_recipe(folder_.path(), more);
  }
  Calibration calibrated(const Recipe& recipe, const std::string& method, const CalibrationSettings& settings) const {
    return calibrated(recipe, *checkpoint_, method, settings);
  }
  static Calibration calibrated(const Recipe& recipe, const Checkpoint& checkpoint, const std::string& method,
                                const CalibrationSettings& settings) {
    Session session(recipe, Session::Data::required);
    return calibrate(session, checkpoint, *testing::make<Calibrator>(method), settings);
  }
  std::vector<float> stored(const std::string& name, const TensorType& type) const {
    std::vector<float> values(static_cast<std::size_t>(type.shape.count()));
    checkpoint_->read(name, {type, std::as_writable_bytes(std::span(values))});
    return values;
  }
  /// The same checkpoint, changed.
  std::unique_ptr<Checkpoint> changed(const std::function<void(const std::string&, std::span<float>)>& change,
                                      const std::string& left_out = {}) const {
    const fs::path path = folder_.path() / "changed.h5";
    std::vector<CheckpointVariable> variables = checkpoint_->variables();
    std::erase_if(variables, [&](const CheckpointVariable& each) { return each.name == left_out; });
    save_checkpoint(path, checkpoint_->info(), variables, [&](std::string_view name, HostTensor to) {
      checkpoint_->read(name, to);
      change(std::string(name), {reinterpret_cast<float*>(to.bytes.data()), to.bytes.size() / sizeof(float)});
    });
    return std::make_unique<Checkpoint>(path);
  }

  test::TemporaryFolder folder_;
  Recipe floats_;
  std::unique_ptr<Checkpoint> checkpoint_;
};

/// The largest magnitude of each channel of some images, as an evaluation sees them.
std::vector<float> largest_of_images(const Recipe& recipe, const std::vector<std::int64_t>& numbers) {
  Session session(recipe, Session::Data::required);
  const Dataset& dataset = session.dataset(session.train_split());
  const Shape shape = session.data().image;
  std::vector<float> image(static_cast<std::size_t>(shape.count())), largest(static_cast<std::size_t>(shape.channels()), 0);
  for (const std::int64_t number : numbers) {
    RandomStream random(0, 0, 0);
    session.augment().apply(dataset.get(session.train_split(), number), random, false, image);
    for (std::size_t i = 0; i < image.size(); ++i) {
      float& most = largest[i % largest.size()];
      most = std::max(most, std::abs(image[i]));
    }
  }
  return largest;
}

TEST_F(CalibrateTest, TheFirstLayersBoundsAreThoseOfTheImages) {
  const Recipe channels = recipe(), tensor = recipe({"quantizer.granularity=per_tensor"});
  const std::vector<float> largest = largest_of_images(channels, {0, 3, 6, 9, 12});  // 5 of 16, evenly spread
  const Calibration by_channel = calibrated(channels, "max", {.images = 5});
  EXPECT_EQ(by_channel.images, 5);
  EXPECT_EQ(by_channel.values.at("init_conv/src/bounds"), largest);
  EXPECT_EQ(by_channel.layers.at(0).path, "init_conv");
  EXPECT_EQ(by_channel.layers.at(0).clipped, 0);
  const Calibration whole = calibrated(tensor, "max", {.images = 5});
  EXPECT_THAT(whole.values.at("init_conv/src/bounds"), ElementsAre(std::ranges::max(largest)));
  EXPECT_NE(largest_of_images(channels, {0, 1, 2, 3, 4}), largest) << "the test could not tell";
}

TEST_F(CalibrateTest, EveryLayerGetsBoundsAndTheNetworkStays) {
  const Calibration found = calibrated(recipe(), "mse", {.images = 16});
  std::size_t bounds = 0;
  for (const Variable& variable : found.variables) {
    if (variable.role != Variable::Role::operand_bounds) continue;
    ++bounds;
    ASSERT_TRUE(found.values.contains(variable.name)) << variable.name;
    EXPECT_THAT(found.values.at(variable.name), Each(::testing::Gt(0.f))) << variable.name;
  }
  EXPECT_EQ(bounds, found.layers.size());
  EXPECT_GE(bounds, 5u);
  for (const char* name : {"init_conv/kernel", "init_bn/mean", "init_bn/gamma"}) {
    const auto variable = std::ranges::find(found.variables, name, &Variable::name);
    EXPECT_EQ(found.values.at(name), stored(name, variable->type)) << name;
  }
  for (const auto& [name, values] : found.values) EXPECT_EQ(name.find("momentum"), std::string::npos) << name;
}

TEST_F(CalibrateTest, NeitherThreadsNorBatchesMatter) {
  for (const char* method : {"max", "mse"}) {
    const VariableValues wanted = calibrated(recipe(), method, {.images = 13}).values;
    for (const char* other :
         {"backend.threads=2", "backend.threads=3", "eval.batch_size=1", "eval.batch_size=5", "dataset.workers=3"}) {
      SCOPED_TRACE(other);
      EXPECT_EQ(calibrated(recipe({other}), method, {.images = 13}).values, wanted);
    }
    EXPECT_EQ(calibrated(recipe({"communicator.name=threads", "communicator.replicas=2"}), method, {.images = 13}).values,
              wanted);
  }
}

TEST_F(CalibrateTest, TheReferenceBackendFindsTheSame) {
  const VariableValues wanted = calibrated(recipe(), "max", {.images = 8}).values;
  const VariableValues found = calibrated(recipe({"backend.name=reference"}), "max", {.images = 8}).values;
  for (const auto& [name, values] : wanted) {
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(found.at(name)[i], values[i], 1e-5 * (1 + std::abs(values[i]))) << name;
  }
}

/// Running moments follow a batch's with momentum 0.9 in a training step, whatever it learns.
TEST_F(CalibrateTest, RunningMomentsAreThoseOfTheTrainingBatches) {
  const Recipe made = recipe();
  const Calibration before = calibrated(made, "max", {.images = 16});
  const Calibration after = calibrated(made, "max", {.images = 16, .batches = 1});
  const CheckpointInfo info{.step = 0, .recipe = made.text(false), .data = {}, .warm_start = true, .seed = 0, .metrics = {}};
  begin_run(made, info, before.variables, before.values, "calibrate", "calibrated");
  Trainer(recipe({"train.steps=1"})).run();
  const Checkpoint trained(checkpoint_path(made.run_dir() / "checkpoints", 1));
  int compared = 0;
  for (const Variable& variable : before.variables) {
    if (variable.role == Variable::Role::operand_bounds || variable.kind == Variable::Kind::parameter) {
      if (const auto known = before.values.find(variable.name); known != before.values.end()) {
        EXPECT_EQ(after.values.at(variable.name), known->second) << variable.name;
      }
      continue;
    }
    std::vector<float> next(static_cast<std::size_t>(variable.type.shape.count()));
    if (variable.role == Variable::Role::batch_statistics) {
      trained.read(variable.name, {variable.type, std::as_writable_bytes(std::span(next))});
      for (std::size_t i = 0; i < next.size(); ++i) {
        const float old = before.values.at(variable.name)[i];
        EXPECT_NEAR(after.values.at(variable.name)[i], (next[i] - 0.9f * old) / 0.1f, 1e-4) << variable.name;
      }
      ++compared;
    } else if (variable.role == Variable::Role::operand_statistics) {  // collected as in training
      trained.read(variable.name, {variable.type, std::as_writable_bytes(std::span(next))});
      EXPECT_FALSE(before.values.contains(variable.name));
      for (std::size_t i = 0; i < next.size(); ++i)
        EXPECT_NEAR(after.values.at(variable.name)[i], next[i], 1e-5) << variable.name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 30);
}

TEST_F(CalibrateTest, SeveralBatchesAreAveraged) {
  // Of two batches that cover the 16 images, as an epoch does, means are those of all images.
  const Recipe made = recipe({"augment.name=none"}), whole = recipe({"augment.name=none", "train.batch_size=16"});
  const VariableValues two = calibrated(made, "max", {.images = 16, .batches = 2}).values;
  const VariableValues one = calibrated(whole, "max", {.images = 16, .batches = 1}).values;
  ASSERT_GT(two.at("init_bn/mean").size(), 1u);
  for (std::size_t i = 0; i < two.at("init_bn/mean").size(); ++i)
    EXPECT_NEAR(two.at("init_bn/mean")[i], one.at("init_bn/mean")[i], 1e-5);
}

TEST_F(CalibrateTest, ARecipeWithoutBoundsIsRefused) {
  for (const char* other : {"quantizer.bounds=none", "quantizer.bounds=4", "quantizer.act_prec=none", "quantizer.name=none"}) {
    EXPECT_THAT(test::message_of(Error::Category::usage, [&] { calibrated(recipe({other}), "max", {}); }),
                AllOf(HasSubstr("nothing to calibrate"), HasSubstr("bounds = auto")))
        << other;
  }
}

TEST_F(CalibrateTest, LayersWithoutBoundsAreTold) {
  const Recipe made = test::micro_recipe(folder_.path(), {"layer:init_conv.bounds=2", "layer:dense.act_prec=none"});
  EXPECT_THAT(calibrated(made, "max", {.images = 4}).others, ElementsAre("init_conv", "dense"));
}

TEST_F(CalibrateTest, ALayerThatGetsNothingIsNamed) {
  const auto dead = changed([](const std::string& name, std::span<float> values) {
    if (name == "init_bn/gamma" || name == "init_bn/beta") std::ranges::fill(values, 0.f);
  });
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { calibrated(recipe(), *dead, "max", {.images = 4}); }),
              AllOf(HasSubstr("nothing but zeros"), HasSubstr("stage1/block0/conv_1"), HasSubstr("stage1/block0/conv_proj")));
}

TEST_F(CalibrateTest, ADeadChannelGetsTheLeastBound) {
  const auto dead = changed([](const std::string& name, std::span<float> values) {
    if (name == "init_bn/gamma" || name == "init_bn/beta") values[1] = 0;
  });
  const Calibration found = calibrated(recipe(), *dead, "max", {.images = 4});
  const auto layer = std::ranges::find(found.layers, "stage1/block0/conv_1", &Calibration::Layer::path);
  EXPECT_EQ(layer->empty, 1);
  EXPECT_EQ(found.values.at("stage1/block0/conv_1/src/bounds")[1], static_cast<float>(layer->least_bound));
}

TEST_F(CalibrateTest, ValuesThatAreNotFiniteAreTold) {
  const auto broken = changed([](const std::string& name, std::span<float> values) {
    if (name == "init_bn/beta") values[0] = std::numeric_limits<float>::infinity();
  });
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { calibrated(recipe(), *broken, "max", {.images = 4}); }),
              AllOf(HasSubstr("stage1/block0/conv_"), HasSubstr("inf")));
}

TEST_F(CalibrateTest, AnotherModelIsRefused) {
  const auto lacking = changed([](const std::string&, std::span<float>) {}, "init_bn/gamma");
  try {
    calibrated(recipe(), *lacking, "max", {});
    FAIL();
  } catch (const CheckpointError& error) {
    EXPECT_EQ(error.kind(), CheckpointError::Kind::misfit);
    EXPECT_THAT(error.what(), HasSubstr("init_bn/gamma"));
  }
  EXPECT_THROW(calibrated(recipe({"model.num_filters=8"}), "max", {}), CheckpointError);
}

TEST_F(CalibrateTest, AnInterruptEndsIt) {
  const InterruptGuard guard("stopping");
  std::raise(SIGINT);
  test::message_of(Error::Category::interrupted, [&] { calibrated(recipe(), "max", {}); });
  EXPECT_FALSE(fs::exists(recipe().run_dir()));
}

TEST_F(CalibrateTest, ABegunRunIsNotReplaced) {
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { refuse_begun_run(floats_, "calibrate", "calibrated"); }),
              AllOf(HasSubstr("has checkpoints already"), HasSubstr("--run.dir=")));
  refuse_begun_run(recipe(), "calibrate", "calibrated");
}

}  // namespace
}  // namespace qfw
