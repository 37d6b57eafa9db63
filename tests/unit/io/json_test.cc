#include "io/json.h"

#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>

#include "support.h"

namespace qfw {
namespace {

namespace json = boost::json;

TEST(Json, PrintsPrettyAndInOneLine) {
  json::object value;
  value["top1"] = 0.9123;
  value["top5"] = 1.0;
  value["examples"] = 10000;
  value["nan"] = std::nan("");
  value["list"] = json::array{1, json::array{}, "a\"b\n", nullptr, true};
  value["empty"] = json::object{};
  value["alpha"] = json::object{{"z", -0.0}, {"a", std::numeric_limits<double>::infinity()}};
  EXPECT_EQ(json_line(value),
            R"({"top1":0.9123,"top5":1.0,"examples":10000,"nan":null,"list":[1,[],"a\"b\n",null,true],"empty":{},)"
            R"("alpha":{"z":-0.0,"a":null}})");
  EXPECT_EQ(json_pretty(value), R"({
  "top1": 0.9123,
  "top5": 1.0,
  "examples": 10000,
  "nan": null,
  "list": [
    1,
    [],
    "a\"b\n",
    null,
    true
  ],
  "empty": {},
  "alpha": {
    "z": -0.0,
    "a": null
  }
}
)");
}

TEST(Json, DoublesReadBackAsTheSame) {
  for (const double value : {0.1, 1.0 / 3, 1e300, 5e-324, 123456789012345678.0, -2.5e-7, 100.0}) {
    const auto back = json::parse(json_line(json::value(value)));
    ASSERT_TRUE(back.is_double()) << json_line(json::value(value));
    EXPECT_EQ(back.as_double(), value);
  }
  EXPECT_EQ(json_line(json::value(0.1)), "0.1");
}

TEST(Json, FilesGoThereAndBack) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "report.json";
  write_json(path, json::object{{"steps", 12}});
  EXPECT_EQ(test::slurp(path), "{\n  \"steps\": 12\n}\n");
  EXPECT_EQ(read_json(path).at("steps").as_int64(), 12);
  test::spew(path, "{\"steps\": ");
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { read_json(path); }), testing::HasSubstr(path.string()));
}

TEST(Json, TellsWhyATextIsNone) {
  const auto fault = [](std::string_view text) {
    std::string why;
    const json::value value = json_of(text, why);
    EXPECT_EQ(value.is_null(), !why.empty()) << text;
    return why;
  };
  EXPECT_EQ(fault("[1, 2]"), "");
  EXPECT_EQ(fault(" \n"), "it is empty");
  EXPECT_EQ(fault("{\"a\": [1,"), "it is no valid JSON: it ends too early");
  EXPECT_THAT(fault("{\n\"a\": x}"), testing::StartsWith("it is no valid JSON from line 2, column "));
  EXPECT_THAT(fault("{} {}"), testing::StartsWith("it is no valid JSON from line 1, column "));
  EXPECT_THAT(fault({"\x01\n{\0}", 5}), testing::HasSubstr("it is no text: there is a NUL byte in line 2, column 2"));
}

}  // namespace
}  // namespace qfw
