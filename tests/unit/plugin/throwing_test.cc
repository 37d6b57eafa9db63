#include <gmock/gmock.h>

#include <thread>

#include "folders.h"
#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/builder.h"
#include "qfw/dataset.h"
#include "qfw/layer.h"
#include "qfw/ops.h"
#include "qfw/optimizer.h"
#include "qfw/quantizer.h"
#include "qfw/schedule.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const Catalog& catalog() {
  static const auto folders = built_all({"throwing_anything"});
  static const Catalog catalog(folders);
  return catalog;
}

template <class Interface>
std::unique_ptr<Interface> thrower(const std::string& from, const std::string& what = "int") {
  return catalog().get<Interface>("thrower").make({{"from", from}, {"what", what}});
}

/// What is told of a plugin of this kind that throws from `method` at `place`.
template <class Interface, class Call>
void expect_named(const std::string& from, const std::string& place, const Call& call) {
  const Failure failure = failure_of([&] { call(*thrower<Interface>(from)); });
  EXPECT_EQ(failure.category, Error::Category::plugin) << from;
  EXPECT_THAT(failure.message, AllOf(HasSubstr(std::string(Interface::kind) + ":thrower threw int 42 from "), HasSubstr(from),
                                     HasSubstr(place), HasSubstr("libqfw_throwing_anything.so")));
}

TEST(Thrown, AnythingIsAnErrorThatNamesThePlugin) {
  const std::pair<const char*, const char*> thrown[] = {{"int", "threw int 42"},
                                                        {"text", "threw text 'no licence'"},
                                                        {"exception", "threw std::runtime_error: no licence"},
                                                        {"own", "OfItsOwn"}};
  for (const auto& [word, told] : thrown) {
    const char* what = word;  // clang 15 captures no structured binding
    const Failure failure = failure_of([&] { thrower<Schedule>("value", what)->value({.step = 2}); });
    EXPECT_EQ(failure.category, Error::Category::plugin) << what;
    EXPECT_THAT(failure.message, AllOf(HasSubstr("schedule:thrower"), HasSubstr(told), HasSubstr("value()"),
                                       HasSubstr("step 2"), HasSubstr("libqfw_throwing_anything.so")));
  }
}

TEST(Thrown, AnErrorKeepsItsCategoryAndText) {
  const Failure failure = failure_of([&] { thrower<Schedule>("value", "error")->value({.step = 2}); });
  EXPECT_EQ(failure.category, Error::Category::device);
  EXPECT_EQ(failure.message, "[thrower] no licence (step 2) (schedule:thrower)");
}

TEST(Thrown, FromTheConstructor) {
  expect_named<Schedule>("constructor", "", [](Schedule&) {});
  expect_named<Backend>("constructor", "", [](Backend&) {});
}

TEST(Thrown, FromDataSetsAndAugments) {
  expect_named<Dataset>("classes", "", [](Dataset& data) { data.classes(); });
  expect_named<Dataset>("shape", "", [](Dataset& data) { data.shape(); });
  expect_named<Dataset>("size", "", [](Dataset& data) { data.size("train"); });
  expect_named<Dataset>("get", "example 17 of train", [](Dataset& data) { data.get("train", 17); });
  expect_named<Dataset>("class_name", "label 1", [](Dataset& data) { data.class_name(1); });
  expect_named<Augment>("output", "", [](Augment& augment) { augment.output({}); });
  expect_named<Augment>("apply", "", [](Augment& augment) {
    RandomStream random(0, 0);
    float image[16];
    augment.apply({}, random, true, image);
  });
}

TEST(Thrown, FromWhatDescribesTheComputation) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{2, 4, 4, 1}, DType::f32});
  expect_named<Layer>("build", "layer second", [&](Layer& model) { model.build(g, x, 2); });
  const Value w = g.parameter("w", {4}, Init::zeros());
  const Optimizer::Trainable all[] = {{w, w, "w"}};
  expect_named<Optimizer>("update", "layer optimizer/w", [&](Optimizer& optimizer) { optimizer.update_all(g, all, 0.1); });
  expect_named<Quantizer>("phase", "step 5", [&](Quantizer& quantizer) { quantizer.phase({.step = 5}); });
  expect_named<Quantizer>("phase_name", "phase 3", [&](Quantizer& quantizer) { quantizer.phase_name(3); });
  const auto scope = g.scope("stage1/conv_1");
  expect_named<Quantizer>("quantize", "layer stage1/conv_1/weights", [&](Quantizer& quantizer) {
    quantizer.quantize_both(g, {"stage1/conv_1", Dense{}, x.type(), w.type()}, x, w, 0, false);
  });
}

TEST(Thrown, FromBackendsAndCommunicators) {
  const auto pair = thrower<Communicator>("");
  expect_named<Backend>("describe", "", [](Backend& backend) { backend.describe(); });
  expect_named<Backend>("threads", "", [](Backend& backend) { backend.threads(); });
  expect_named<Backend>("peak", "", [](Backend& backend) { backend.peak(); });
  expect_named<Backend>("supports", "layer a/b", [](Backend& backend) { backend.supports({}, {.path = "a/b"}); });
  expect_named<Backend>("compile", "", [&](Backend& backend) { backend.compile({}, *pair); });
  expect_named<Backend>("read", "variable w", [](Backend& backend) { backend.read("w", {}); });
  expect_named<Backend>("write", "variable w", [](Backend& backend) { backend.write("w", {}); });
  expect_named<Backend>("run", "step 9", [&](Backend& backend) { backend.compile({}, *pair)->run({.index = 9}, {}, {}); });
  for (int i = 0; i < 2; ++i) {
    expect_named<Communicator>("all_reduce", "", [&](Communicator& first) {
      std::exception_ptr error;
      std::thread([&] {
        try {
          first.local(i).all_reduce({}, Communicator::Reduction::sum);
        } catch (...) {
          error = std::current_exception();
        }
      }).join();
      std::rethrow_exception(error);
    });
  }
}

TEST(Thrown, NothingIsSaidOfPluginsThatDoNotThrow) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{2, 4, 4, 1}, DType::f32});
  EXPECT_EQ(thrower<Layer>("")->build(g, x, 2).shape(), (Shape{2, 2}));
  EXPECT_EQ(thrower<Communicator>("")->local(1).rank(), 1);
  EXPECT_EQ(thrower<Dataset>("")->class_name(1), "1");
}

TEST(Returned, ValuesThatCannotBeAreRefusedByName) {
  const Failure pixels = failure_of([] { thrower<Dataset>("few bytes")->get("train", 3); });
  EXPECT_EQ(pixels.category, Error::Category::plugin);
  EXPECT_THAT(pixels.message,
              AllOf(HasSubstr("dataset:thrower gave pixels of shape [4, 4, 3] in 16 bytes"), HasSubstr("example 3 of train")));
  const Failure replicas = failure_of([] { thrower<Communicator>("no replicas"); });
  EXPECT_EQ(replicas.category, Error::Category::plugin);
  EXPECT_THAT(replicas.message, HasSubstr("communicator:thrower says that it is replica 0 of 0, with 2 in this process"));
  const Failure peak = failure_of([] { thrower<Backend>("a peak below zero")->peak(); });
  EXPECT_EQ(peak.category, Error::Category::plugin);
  EXPECT_THAT(peak.message, HasSubstr("backend:thrower says that its peak is -1 multiplications a second"));
  const Failure bandwidth = failure_of([] { thrower<Backend>("a bandwidth below zero")->bandwidth(); });
  EXPECT_EQ(bandwidth.category, Error::Category::plugin);
  EXPECT_THAT(bandwidth.message, HasSubstr("backend:thrower says that its memory gives -1 bytes a second"));
}

TEST(Builder, RefusesVariablesThatCannotBeAndValuesOfOtherGraphs) {
  GraphBuilder g({.training = true}), other({.training = true});
  const auto scope = g.scope("layer1");
  EXPECT_THAT(failure_of([&] { g.parameter("", {1}, Init::zeros()); }).message,
              AllOf(HasSubstr("name is \"\""), HasSubstr("layer layer1")));
  EXPECT_THAT(failure_of([&] { g.state("s", {2, -1}); }).message, AllOf(HasSubstr("shape [2, -1]"), HasSubstr("layer layer1")));
  const Value mine = g.state("mine", {1}), theirs = other.state("theirs", {1});
  EXPECT_THAT(failure_of([&] { g.assign(mine, theirs); }).message,
              AllOf(HasSubstr("another graph"), HasSubstr("layer layer1")));
  EXPECT_THAT(failure_of([&] { g.assign(theirs, mine); }).message, HasSubstr("another graph"));
}

TEST(Builder, AMistakeNamesTheLayerItWasMadeInAndThePlugin) {
  GraphBuilder g({.training = true});
  const Value x = g.input("x", {{2, 5}, DType::f32});
  const Failure failure = failure_of([&] { thrower<Layer>("")->build(g, x, 2); });  // the model wants images
  EXPECT_EQ(failure.category, Error::Category::graph);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("layer first"), HasSubstr("model:thrower"), Not(HasSubstr("threw"))));
}

}  // namespace
}  // namespace qfw
