#include "run/implementations.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "io/json.h"
#include "micro.h"
#include "run/trainer.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace json = boost::json;

std::vector<Executable::Task> tasks(const std::vector<std::pair<std::string, std::string>>& kinds) {
  std::vector<Executable::Task> all;
  for (const auto& [kind, implementation] : kinds) all.push_back({.kind = kind, .implementation = implementation});
  return all;
}

TEST(Implementations, AreComparedWithThoseOfThePhase) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "environment.json";
  write_json(file, json::object{{"host", "a"}});
  const auto first = tasks({{"conv", "engine 3"}, {"conv", "engine 3"}, {"conv", "engine 7"}, {"copy", ""}});
  EXPECT_EQ(record_implementations(file, 5, "float", first), "");
  EXPECT_EQ(record_implementations(file, 9, "4 bits", tasks({{"conv", "own"}})), "");
  EXPECT_EQ(record_implementations(file, 6, "float", first), "");
  const auto other = tasks({{"conv", "engine 3"}, {"conv", "engine 3"}, {"conv", "engine 8"}});
  EXPECT_EQ(
      record_implementations(file, 7, "float", other),
      "phase float is computed in another way than before, so that last bits may differ: conv was 1 x engine 7, 2 x engine "
      "3, is 1 x engine 8, 2 x engine 3; and 1 kind of work");
  EXPECT_EQ(record_implementations(file, 8, "float", other), "");
  const json::value environment = read_json(file);
  EXPECT_EQ(environment.at("host"), "a");
  EXPECT_EQ(environment.at("training_steps"),
            (json::array{{{"first_step", 5}, {"phase", "float"}, {"tasks", {{"conv", {{"engine 3", 2}, {"engine 8", 1}}}}}},
                         {{"first_step", 9}, {"phase", "4 bits"}, {"tasks", {{"conv", {{"own", 1}}}}}}}));
}

// Of many, those that became others are the ones to tell.
TEST(Implementations, ThatDifferAreToldFirst) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "environment.json";
  const std::vector<std::pair<std::string, std::string>> same{{"conv", "a"}, {"conv", "b"}, {"conv", "c"}};
  auto before = same, after = same;
  before.emplace_back("conv", "d");
  after.emplace_back("conv", "c");
  EXPECT_EQ(record_implementations(file, 5, "float", tasks(before)), "");
  EXPECT_EQ(record_implementations(file, 6, "float", tasks(after)),
            "phase float is computed in another way than before, so that last bits may differ: conv was 1 x c, 1 x d and 2 "
            "others, is 2 x c, 1 x a and 1 other");
}

TEST(Implementations, OfADamagedFileAreForgotten) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "environment.json";
  for (const char* text : {"", "[1]", R"({"training_steps": 7})", R"({"training_steps": [{"phase": "p", "tasks": [1]}, 3]})"}) {
    std::ofstream(file) << text;
    EXPECT_EQ(record_implementations(file, 1, "p", tasks({{"conv", "own"}})), "") << text;
    EXPECT_EQ(record_implementations(file, 1, "p", tasks({{"conv", "own"}})), "") << text;
    EXPECT_NE(record_implementations(file, 1, "p", tasks({{"conv", "other"}})), "") << text;
  }
}

class RecordedImplementations : public ::testing::Test {
 protected:
  void run(int steps) { Trainer(test::micro_recipe(folder_.path(), {fmt::format("train.steps={}", steps)})).run(); }
  std::filesystem::path file(const char* name) const { return folder_.path() / "r" / name; }
  json::array& recorded(json::value& environment) const { return environment.at("training_steps").as_array(); }
  std::string notes() const { return json::serialize(read_json(file("report.json")).at("notes")); }

  test::TemporaryFolder folder_;
};

TEST_F(RecordedImplementations, OfARunThatGoesOnElsewhereAreANote) {
  run(4);
  json::value environment = read_json(file("environment.json"));
  ASSERT_GE(recorded(environment).size(), 2u) << "phases";
  EXPECT_EQ(recorded(environment)[0].at("first_step"), 0);
  EXPECT_EQ(recorded(environment)[1].at("first_step"), 3);
  const json::value first = recorded(environment)[0];
  run(5);
  EXPECT_THAT(notes(), ::testing::Not(HasSubstr("in another way")));
  environment = read_json(file("environment.json"));
  EXPECT_EQ(recorded(environment)[0], first) << "what was not trained again is kept";

  // As if that last step had been computed elsewhere.
  const std::string kind(recorded(environment).back().at("tasks").as_object().begin()->key());
  recorded(environment).back().at("tasks").at(kind) = json::object{{"tensor cores", 3}};
  write_json(file("environment.json"), environment);
  run(6);
  EXPECT_THAT(notes(), AllOf(HasSubstr("in another way than before"), HasSubstr("was 3 x tensor cores, is ")));
  environment = read_json(file("environment.json"));
  EXPECT_FALSE(recorded(environment).back().at("tasks").at(kind).as_object().contains("tensor cores"));
}

}  // namespace
}  // namespace qfw
