#include "qfw/registry.h"

#include <gmock/gmock.h>

#include "folders.h"
#include "plugin/tag.h"
#include "qfw/schedule.h"
#include "util/nearest.h"

namespace qfw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Everything {
  bool flag = true;
  int whole = 4;
  double real = 0.1;
  std::string word = "auto";
  std::optional<int> maybe = 3;
  std::vector<int> stages = {2, 2};
  std::vector<float> factors = {0.5f, 1};

  static void declare(Declare<Everything>& option) {
    option("flag", &Everything::flag, "a flag");
    option("whole", &Everything::whole, "a whole number", {.min = 1, .max = 8});
    option("real", &Everything::real, "a number");
    option("word", &Everything::word, "a word", {.choices = {"none", "auto"}, .or_number = true});
    option("maybe", &Everything::maybe, "perhaps");
    option("stages", &Everything::stages, "some");
    option("factors", &Everything::factors, "some more");
  }
};

TEST(Options, AreSetByNameAndKeepTheirDefaults) {
  const std::vector<Option> options = options_of<Everything>();
  Everything target;
  apply(options,
        {{"flag", false},
         {"whole", std::int64_t(7)},
         {"maybe", std::monostate()},
         {"stages", std::vector<std::int64_t>{3, 4, 6}}},
        &target);
  EXPECT_FALSE(target.flag);
  EXPECT_EQ(target.whole, 7);
  EXPECT_EQ(target.real, 0.1);
  EXPECT_FALSE(target.maybe.has_value());
  EXPECT_THAT(target.stages, ElementsAre(3, 4, 6));
  EXPECT_THAT(target.factors, ElementsAre(0.5f, 1.f));
}

TEST(Options, TakeWholeNumbersForNumbersAndNumbersForTextsThatMayBeOne) {
  const std::vector<Option> options = options_of<Everything>();
  Everything target;
  apply(options, {{"real", std::int64_t(2)}, {"word", 6.5}, {"factors", std::vector<std::int64_t>{1, 2}}}, &target);
  EXPECT_EQ(target.real, 2.0);
  EXPECT_EQ(target.word, "6.5");
  EXPECT_THAT(target.factors, ElementsAre(1.f, 2.f));
}

TEST(Options, RefuseUnknownNamesAndWrongTypes) {
  const std::vector<Option> options = options_of<Everything>();
  Everything target;
  EXPECT_EQ(failure_of([&] {
              apply(options, {{"whoel", std::int64_t(7)}}, &target);
            }).message,
            "[option] there is no option 'whoel'; did you mean whole?");
  EXPECT_EQ(failure_of([&] {
              apply(options, {{"whole", std::string("x")}}, &target);
            }).message,
            "[option] whole is a whole number, not 'x'");
  EXPECT_EQ(failure_of([&] {
              apply(options, {{"whole", std::monostate()}}, &target);
            }).message,
            "[option] whole is a whole number, not 'none'");
  EXPECT_EQ(target.whole, 4);
}

TEST(Options, PrintAsRecipesWriteThem) {
  EXPECT_EQ(to_string(std::monostate()), "none");
  EXPECT_EQ(to_string(true), "true");
  EXPECT_EQ(to_string(std::int64_t(-4)), "-4");
  EXPECT_EQ(to_string(0.1), "0.1");
  EXPECT_EQ(to_string(1e-5), "1e-05");
  EXPECT_EQ(to_string(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(to_string(std::vector<std::int64_t>{2, 2}), "2,2");
  EXPECT_EQ(to_string(std::vector<double>{0.5, 3}), "0.5,3");
  EXPECT_EQ(to_string(std::string("same")), "same");
}

class Steady final : public Schedule {
 public:
  struct Options {
    double level = 1;
    static void declare(Declare<Options>& option) { option("level", &Options::level, "what it stays at"); }
  };
  explicit Steady(const Options& options) : level_(options.level) {}
  double value(const Clock&) const override { return level_; }

 private:
  double level_;
};

TEST(Registry, MakesWithThePresetsOfEachName) {
  Registry registry;
  registry.add<Steady>("one", "at one");
  registry.add<Steady>("two", "at two", {.level = 2});
  ASSERT_EQ(registry.factories().size(), 2u);
  const auto& two = dynamic_cast<const Factory<Schedule>&>(*registry.factories()[1]);
  EXPECT_EQ(two.kind, "schedule");
  EXPECT_EQ(to_string(two.options[0].default_value), "2");
  EXPECT_EQ(two.make({})->value({}), 2.0);
  EXPECT_EQ(two.make({{"level", 5.0}})->value({}), 5.0);
}

TEST(Registry, RefusesANameTwice) {
  Registry registry;
  registry.add<Steady>("one", "at one");
  const Failure failure = failure_of([&] { registry.add<Steady>("ONE", "again"); });
  EXPECT_EQ(failure.category, Error::Category::plugin);
  EXPECT_THAT(failure.message, HasSubstr("schedule:ONE is registered twice"));
}

TEST(Fingerprint, TellsEveryDifferenceAtOnce) {
  EXPECT_EQ(fingerprint_difference("compiler gcc 12; headers ab", "compiler gcc 12; headers ab"), "");
  EXPECT_EQ(
      fingerprint_difference("compiler clang 15; c++ 202002L; headers ab",
                             "compiler gcc 12; c++ 202002L; flavour plain; headers cd"),
      "compiler: found clang 15, expected gcc 12, flavour: found nothing, expected plain, headers: found ab, expected cd");
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> known = {"none", "weights_only", "weights_and_fixed_acts", "weights_and_auto_acts"};
  EXPECT_EQ(nearest("weights_and_auto_act", known), "weights_and_auto_acts");
  EXPECT_EQ(nearest("WEIGHT_ONLY", known), "weights_only");
  EXPECT_EQ(nearest("noen", known), "none");
  EXPECT_EQ(nearest("sinusoidal", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(did_you_mean("non", known), "did you mean none?");
  EXPECT_EQ(did_you_mean("sinusoidal", known), "");
}

}  // namespace
}  // namespace qfw
