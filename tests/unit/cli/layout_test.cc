#include "layout.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "io/printable.h"
#include "option_text.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// Lines that are wider, although they have a blank where they could have been broken.
std::vector<std::string> too_wide(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string_view words = line.substr(std::min(line.find_first_not_of(' '), line.size()));
    if (columns_of(line) > width && words.find(' ') != words.npos) lines.emplace_back(line);
  }
  return lines;
}

TEST(Wrapped, BreaksBetweenWordsAndKeepsBreaks) {
  EXPECT_EQ(wrapped("one two three", 7, 0), "one two\nthree\n");
  EXPECT_EQ(wrapped("one two three", 9, 2), "  one two\n  three\n");
  EXPECT_EQ(wrapped("one\n\ntwo", 80, 1), " one\n\n two\n");
  EXPECT_EQ(wrapped("a verylongword b", 5, 0), "a\nverylongword\nb\n");
  EXPECT_EQ(wrapped("one two three\nfour five", 9, 0, 2), "one two\n  three\nfour five\n");
  EXPECT_EQ(wrapped("one two", unlimited, 0), "one two\n");
  EXPECT_EQ(wrapped("", 80, 4), "");
}

TEST(Entry, StandsBesideTheNameOrBelowIt) {
  EXPECT_EQ(entry("sgd", 4, "with momentum", 40), "  sgd   with momentum\n");
  EXPECT_EQ(entry("adam", 4, "one two three", 18), "  adam  one two\n        three\n");
  EXPECT_EQ(entry("weights_and_auto_acts", 22, "one two three", 40), "  weights_and_auto_acts\n    one two three\n");
  EXPECT_EQ(entry("none", 4, "", 40), "  none\n");
}

std::vector<Column> three_columns() {
  return {{.heading = "NAME", .cells = {"a", "bcdef"}},
          {.heading = "N", .numbers = true, .cells = {"100", "2"}},
          {.heading = "WHY", .long_text = true, .cells = {"because of this", ""}}};
}

TEST(Table, HasColumnsWhereThereIsRoom) {
  EXPECT_EQ(width_of(three_columns()), 5u + 2 + 3 + 2 + 15);
  EXPECT_EQ(table(three_columns(), 27),
            "NAME     N  WHY\n"
            "a      100  because of this\n"
            "bcdef    2\n");
  EXPECT_EQ(table(three_columns(), unlimited), table(three_columns(), 27));
}

TEST(Table, ElseEachRowHasLines) {
  EXPECT_EQ(table(three_columns(), 26),
            "a\n"
            "    N 100\n"
            "    WHY because of this\n"
            "bcdef\n"
            "    N 2\n");
  EXPECT_EQ(table(three_columns(), 12), "a\n    N 100\n    WHY\n    because\n    of this\nbcdef\n    N 2\n");
}

TEST(Table, WithoutHeadingsHasNone) {
  std::vector<Column> columns = {{.cells = {"a"}}, {.cells = {"b"}}, {.cells = {"c"}}};
  EXPECT_EQ(table(columns, 40), "a  b  c\n");
  EXPECT_EQ(table(columns, 5), "a\n    b,\n    c\n");
  EXPECT_EQ(table({}, 40), "");
}

TEST(Table, CountsColumnsAndNotBytes) {
  const std::vector<Column> columns = {{.cells = {"größer", "a"}}, {.cells = {"x", "y"}}};
  EXPECT_EQ(table(columns, 40), "größer  x\na       y\n");
}

TEST(TableOfOptions, FitsEveryWidth) {
  Option long_name;
  long_name.name = "activation_bound_start_step";
  long_name.type = Option::Type::integer;
  long_name.nullable = true;
  long_name.min = 0;
  long_name.doc = "Step from which on the bounds of the activations are those that were observed, of all steps before it.";
  Option choice;
  choice.name = "arithmetic";
  choice.type = Option::Type::text;
  choice.default_value = std::string("fake_quant");
  choice.choices = {"fake_quant", "integer"};
  choice.doc = "How.";
  const std::vector<Option> options = {long_name, choice};
  for (const std::size_t width : {40, 50, 60, 80, 100}) {
    const std::string text = table_of(options, "OPTION", width);
    EXPECT_THAT(too_wide(text, width), testing::IsEmpty()) << width;
    EXPECT_THAT(text, AllOf(HasSubstr("activation_bound_start_step"), HasSubstr("integer or none"), HasSubstr(">= 0"))) << text;
  }
  EXPECT_THAT(table_of(options, "OPTION", 80), StartsWith("OPTION  "));
  const std::string narrow = table_of(options, "OPTION", 40);
  EXPECT_THAT(narrow, StartsWith("activation_bound_start_step\n    integer or none, default none\n    allowed >= 0\n    Step"));
  EXPECT_THAT(narrow, HasSubstr("arithmetic\n    text, default fake_quant\n    allowed fake_quant | integer\n    How.\n"));
  EXPECT_THAT(narrow, Not(HasSubstr("OPTION")));
}

TEST(Flowed, TextFlowsWhereItsLinesAreTooLong) {
  const std::string text =
      "One sentence that ends here. Another, which\ngoes on.\n\nprint FILE    from one form to another, or to a recipe\n"
      "  qfw print              an example";
  EXPECT_EQ(flowed(text, 100), text + "\n");
  EXPECT_EQ(flowed(text, 40),
            "One sentence that ends here. Another,\nwhich goes on.\n\nprint FILE    from one form to another,\n"
            "              or to a recipe\n  qfw print              an example\n");
  EXPECT_EQ(flowed(text, 26),
            "One sentence that ends\nhere. Another, which goes\non.\n\nprint FILE\n    from one form to\n"
            "    another, or to a\n    recipe\n  qfw print\n      an example\n");
  for (const std::size_t width : {20, 30, 40, 50}) EXPECT_THAT(too_wide(flowed(text, width), width), testing::IsEmpty());
}

}  // namespace
}  // namespace qfw
