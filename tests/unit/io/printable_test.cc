#include "io/printable.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "io/json.h"
#include "io/log.h"
#include "support.h"

namespace qfw {
namespace {

namespace json = boost::json;

TEST(Printable, KeepsTextAndShowsTheBytesOfEverythingElse) {
  EXPECT_EQ(printable("K\xc3\xa4"
                      "fer \\ \"x\""),
            "K\xc3\xa4"
            "fer \\ \"x\"");
  EXPECT_EQ(printable("K\xe4"
                      "fer"),
            "K\\xe4fer");
  EXPECT_EQ(printable("\x1b[31mred\x07\x7f"), "\\x1b[31mred\\x07\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "a control sequence introducer of one character";
  EXPECT_EQ(printable("a\nb\tc"), "a\\x0ab\\x09c");
  EXPECT_EQ(printable("a\nb\tc\r", line_breaks), "a\nb\tc\\x0d");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable(""), "");
}

TEST(Printable, TakesValidUtf8Only) {
  for (const char* text : {"\xf0\x9f\x90\x9e", "\xe2\x82\xac", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xc2\xa0"})
    EXPECT_EQ(printable(text), text);
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf") << "longer than need be";
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "half of a pair";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond the last character";
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82") << "cut short";
  EXPECT_EQ(printable("\xff"), "\\xff");
}

TEST(JsonNames, AreValidUtf8AndStayApart) {
  json::object object;
  object
      ["K\xe4"
       "fer"] = 1;
  object
      ["K\xf6"
       "fer"] = 2;
  object["K\\xe4fer"] = 3;  // the text that stands for the first
  object["\x1b[2J\xc2\x9b\x7f"] = "\xff\n";
  const std::string line = json_line(object);
  EXPECT_EQ(line, R"({"K\\xe4fer":1,"K\\xf6fer":2,"K\\xe4fer_":3,"\u001b[2J\u009b\u007f":"\\xff\n"})");
  EXPECT_EQ(json::parse(line).as_object().size(), 4u) << "valid, and nothing lost";
}

TEST(JsonNames, ValidTextIsAsBefore) {
  const json::object object{
      {"K\xc3\xa4"
       "fer",
       "\xf0\x9f\x90\x9e \"\\/\b\f\r\t"}};
  EXPECT_EQ(json_line(object), json::serialize(object));
}

TEST(JsonNames, OfForeignTextAreMendedToo) {
  EXPECT_EQ(json_in_utf8("{\"a\": \"K\xe4"
                         "fer \xc3\xa4\"}\n"),
            "{\"a\": \"K\\\\xe4"
            "fer \xc3\xa4\"}\n");
}

TEST(LogFile, HoldsNoControlCharacters) {
  const test::TemporaryFolder folder;
  log_to_file(folder.path() / "log.txt");
  logger().warn("skipped: {}", "a\x1b[31m\xe4.png");
  stop_log_to_file();
  EXPECT_THAT(test::slurp(folder.path() / "log.txt"), testing::HasSubstr("skipped: a\\x1b[31m\\xe4.png\n"));
}

}  // namespace
}  // namespace qfw
