#include <gmock/gmock.h>

#include <limits>

#include "folders.h"
#include "qfw/registry.h"
#include "qfw/schedule.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct Values {
  double number = 1;
  std::string word = "none";
  std::vector<int> list{1, 2};
};
using Declaration = std::function<void(Declare<Values>&)>;

/// What is said of a schedule that declares this.
std::string refusal(const Declaration& declaration, const char* kind = "schedule") {
  Declare<Values> declare;
  declaration(declare);
  auto factory = std::make_unique<Factory<Schedule>>();
  factory->kind = kind;
  factory->name = "odd";
  factory->doc = "a schedule";
  factory->options = declare.take();
  Registry registry;
  const Failure failure = failure_of([&] { registry.add(std::move(factory)); });
  if (!failure.message.empty()) {
    EXPECT_EQ(failure.category, Error::Category::plugin);
  }
  return failure.message;
}

TEST(Declarations, ThatCanBeSetAreTaken) {
  EXPECT_EQ(refusal([](Declare<Values>& option) {
              option("number", &Values::number, "a number", {.min = 0, .max = 1, .inherits = "schedule.base_learning_rate"});
              option("word", &Values::word, "a word", {.min = 0, .choices = {"none", "auto"}, .or_number = true});
              option("list", &Values::list, "a list", {.min = 1, .replaces = "number"});
            }),
            "");
}

struct Wrong {
  const char* name;
  const char* said;
  Declaration declaration;
};

TEST(Declarations, ThatCannotBeRightAreRefusedByPluginAndOption) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Wrong all[] = {
      {"number", "twice",
       [](Declare<Values>& option) {
         option("number", &Values::number, "once");
         option("number", &Values::number, "again");
       }},
      {"", "name that cannot be a key", [](Declare<Values>& option) { option("", &Values::number, "a number"); }},
      {"a b", "name that cannot be a key", [](Declare<Values>& option) { option("a b", &Values::number, "a number"); }},
      {"a.b", "name that cannot be a key", [](Declare<Values>& option) { option("a.b", &Values::number, "a number"); }},
      {"number", "no doc", [](Declare<Values>& option) { option("number", &Values::number, ""); }},
      {"number", "default 1: 1 is too small",
       [](Declare<Values>& option) { option("number", &Values::number, "n", {.min = 2}); }},
      {"number", "default 1: 1 is too large",
       [](Declare<Values>& option) { option("number", &Values::number, "n", {.max = 0.5}); }},
      {"list", "default 1,2: 1 is too small", [](Declare<Values>& option) { option("list", &Values::list, "l", {.min = 2}); }},
      {"word", "'none' is not one of a, b",
       [](Declare<Values>& option) {
         option("word", &Values::word, "w", {.choices = {"a", "b"}});
       }},
      {"word", "'a' twice",
       [](Declare<Values>& option) {
         option("word", &Values::word, "w", {.choices = {"none", "a", "a"}});
       }},
      {"number", "from 3 to 1", [](Declare<Values>& option) { option("number", &Values::number, "n", {.min = 3, .max = 1}); }},
      {"number", "no number", [nan](Declare<Values>& option) { option("number", &Values::number, "n", {.min = nan}); }},
      {"number", "no number", [nan](Declare<Values>& option) { option("number", &Values::number, "n", {.max = nan}); }},
      {"number", "choices", [](Declare<Values>& option) { option("number", &Values::number, "n", {.choices = {"1"}}); }},
      {"name", "key of the core's in [schedule]", [](Declare<Values>& option) { option("name", &Values::word, "w"); }},
      {"word", "inherits 'train.nothing'",
       [](Declare<Values>& option) { option("word", &Values::word, "w", {.inherits = "train.nothing"}); }},
      {"word", "inherits 'nowhere.epochs'",
       [](Declare<Values>& option) { option("word", &Values::word, "w", {.inherits = "nowhere.epochs"}); }},
      {"word", "inherits 'epochs'",
       [](Declare<Values>& option) { option("word", &Values::word, "w", {.inherits = "epochs"}); }},
      {"word", "replaces 'number'",
       [](Declare<Values>& option) { option("word", &Values::word, "w", {.replaces = "number"}); }},
      {"word", "replaces 'word'", [](Declare<Values>& option) { option("word", &Values::word, "w", {.replaces = "word"}); }},
  };
  for (const Wrong& wrong : all) {
    EXPECT_THAT(refusal(wrong.declaration),
                AllOf(HasSubstr("option '" + std::string(wrong.name) + "' of schedule:odd"), HasSubstr(wrong.said)));
  }
}

TEST(Declarations, MayNotTakeKeysOfTheCore) {
  const auto declare = [](const char* name) { return [name](Declare<Values>& option) { option(name, &Values::word, "w"); }; };
  EXPECT_THAT(refusal(declare("arithmetic"), "quantizer"), HasSubstr("key of the core's in [quantizer]"));
  EXPECT_THAT(refusal(declare("weight_decay"), "optimizer"), HasSubstr("key of the core's in [optimizer]"));
  EXPECT_THAT(refusal(declare("cache"), "dataset"), HasSubstr("key of the core's in [dataset]"));
  EXPECT_EQ(refusal(declare("cache"), "schedule"), "");
}

TEST(Declarations, OfALibraryAreCheckedWhenItRegisters) {
  const auto folders = built_all({"bad_option"});
  const Catalog catalog(folders);
  const Failure failure = failure_of([&] { catalog.get<Schedule>("bad_option"); });
  EXPECT_EQ(failure.category, Error::Category::plugin);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("option 'level' of schedule:bad_option"), HasSubstr("0.5 is too small"),
                                     HasSubstr("libqfw_bad_option.so")));
}

}  // namespace
}  // namespace qfw
