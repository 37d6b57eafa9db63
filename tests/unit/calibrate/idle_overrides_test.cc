#include "run/idle_overrides.h"

#include <gmock/gmock.h>

#include "support/files.h"
#include "unit/run/micro.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Runs of a recipe of which every key is spelled out, as in a run's folder.
class IdleOverridesTest : public ::testing::Test {
 protected:
  void SetUp() override { spell_out({}); }

  void spell_out(const std::vector<std::string>& overrides) {
    std::ofstream(file()) << test::micro_recipe(folder_.path(), overrides).text();
  }
  std::filesystem::path file() const { return folder_.path() / "recipe.ini"; }

  std::vector<IdleOverride> idle(const std::vector<std::string>& overrides, std::int64_t completed = 6) const {
    const Recipe recipe = load_recipe(file(), overrides, testing::catalog(), Session::Data::required);
    const Session session(recipe, Session::Data::required);
    return idle_overrides(session, completed, file(), overrides, testing::catalog());
  }
  std::string why(const std::string& override) const {
    const auto found = idle({override});
    return found.empty() ? "" : found.front().why;
  }

  test::TemporaryFolder folder_;
};

TEST_F(IdleOverridesTest, AnotherQuantizerWhoseOptionsStayAsSpelledOut) {
  EXPECT_THAT(why("quantizer.name=weights_only"), AllOf(HasSubstr("quantizer.bounds = auto is spelled out in"),
                                                        HasSubstr("recipe.ini:"), HasSubstr("add --quantizer.bounds=none")));
  const auto both = idle({"quantizer.name=weights_only", "quantizer.bounds=none"});
  ASSERT_THAT(both, SizeIs(1)) << "the bounds suffice";
  EXPECT_EQ(both[0].text, "quantizer.name=weights_only");
  EXPECT_THAT(both[0].why, HasSubstr("the network that is evaluated is the same"));
  EXPECT_THAT(idle({"quantizer.bounds=none"}), IsEmpty());
  EXPECT_THAT(idle({"quantizer.name=none"}), IsEmpty());
}

TEST_F(IdleOverridesTest, WhatChangesSomethingIsNotTold) {
  for (const char* override :
       {"quantizer.weight_prec=2", "quantizer.act_prec=8", "quantizer.arithmetic=integer", "layer:dense.weight_prec=8",
        "backend.threads=2", "backend.name=reference", "backend.compute=bf16", "eval.examples=3", "eval.batch_size=4",
        "dataset.validation_examples=8", "augment.mean=0.5", "quantizer.activation_bound_start_step=-1"}) {
    EXPECT_THAT(idle({override}), IsEmpty()) << override;
  }
}

TEST_F(IdleOverridesTest, WhatIsAboutTrainingAlone) {
  EXPECT_THAT(why("schedule.base_learning_rate=0.5"), HasSubstr("training"));
  EXPECT_THAT(why("optimizer.weight_decay=0"), HasSubstr("training"));
  EXPECT_THAT(why("train.steps=7"), HasSubstr("training"));
  EXPECT_THAT(why("eval.every_epochs=3"), HasSubstr("that trains"));
  EXPECT_THAT(why("run.seed=4"), HasSubstr("do not depend on it"));
  EXPECT_THAT(why("quantizer.ema_coeff=0.5"), HasSubstr("the same"));
}

TEST_F(IdleOverridesTest, WhatIsSoWithoutIt) {
  EXPECT_THAT(why("quantizer.weight_prec=4"), HasSubstr("has that value without it"));
  EXPECT_THAT(why("backend.threads=1"), HasSubstr("has that value without it"));
  EXPECT_TRUE(idle({"backend.threads=1"}).at(0).same);
  EXPECT_FALSE(idle({"run.seed=4"}).at(0).same);
  EXPECT_THAT(why("communicator.name=single"), HasSubstr("recipe.ini has that value without it"));
  const auto found = idle({"communicator.name=threads", "communicator.replicas=2"});
  ASSERT_THAT(found, SizeIs(1)) << "another communicator is no idle choice";
  EXPECT_EQ(found[0].text, "communicator.replicas=2");
  EXPECT_EQ(found[0].why, "that is the default of communicator threads");
  EXPECT_THAT(idle({"communicator.name=threads", "communicator.replicas=1"}), IsEmpty());
}

TEST_F(IdleOverridesTest, TheLastOfEqualOnes) {
  const auto found = idle({"quantizer.weight_prec=2", "quantizer.weight_prec=3"});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].text, "quantizer.weight_prec=2");
  EXPECT_THAT(found[0].why, HasSubstr("--quantizer.weight_prec=3 follows"));
}

TEST_F(IdleOverridesTest, SectionsOfLayersWin) {
  spell_out({"layer:**.weight_prec=8"});
  EXPECT_THAT(why("quantizer.weight_prec=2"), AllOf(HasSubstr("[layer:**] weight_prec = 8"), HasSubstr("wins over it")));
  EXPECT_THAT(idle({"quantizer.act_prec=2"}), IsEmpty());
}

TEST_F(IdleOverridesTest, AugmentsThatDifferInTrainingOnly) {
  spell_out({"augment.name=shift_flip"});
  EXPECT_THAT(why("augment.shift=1"), HasSubstr("prepared the same way"));
  EXPECT_THAT(idle({"augment.stddev=0.5"}), IsEmpty());
}

TEST_F(IdleOverridesTest, DefaultsOfAnotherPlugin) {
  spell_out({"quantizer.name=none"});
  const auto defaults = [&](const std::vector<std::string>& overrides) {
    return defaults_of_named_plugins(file(), overrides, testing::catalog());
  };
  EXPECT_THAT(defaults({"quantizer.name=weights_and_auto_acts"}), ElementsAre("quantizer.bounds=auto"));
  EXPECT_THAT(defaults({"quantizer.name=weights_and_auto_acts", "quantizer.bounds=3"}), IsEmpty());
  EXPECT_THAT(defaults({"quantizer.weight_prec=2"}), IsEmpty());
  EXPECT_THAT(defaults({"quantizer.name=none"}), IsEmpty());
}

}  // namespace
}  // namespace qfw
