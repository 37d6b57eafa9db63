// How recipes are stored and written: comments, quotes, line ends, encodings.
#include "util/text.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <random>

#include "fake_plugins.h"
#include "recipe/source.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string dir_of(const std::string& written) { return parse(minimal + "[run]\ndir" + written).run().dir; }

TEST(RecipeText, ACommentBeginsAtTheStartOfALineOrAfterWhiteSpace) {
  EXPECT_EQ(dir_of(" = runs/try#2\n"), "runs/try#2");
  EXPECT_EQ(dir_of(" = runs/a#b#c # d\n"), "runs/a#b#c");
  EXPECT_EQ(dir_of(" = runs/plain   # and a comment\n"), "runs/plain");
  EXPECT_EQ(dir_of(" = tab\t# comment\n"), "tab");
  EXPECT_EQ(dir_of(" = # nothing but a comment\n"), "");
  EXPECT_EQ(dir_of("=#x\n"), "#x");
  EXPECT_EQ(dir_of(" = \"quoted # 4\" # comment\n"), "quoted # 4");
  EXPECT_EQ(dir_of(" = \"#\"# comment\n"), "#");
  EXPECT_EQ(dir_of(" = a ; b\n"), "a ; b");
  EXPECT_EQ(dir_of(" = a=b # = c\n"), "a=b");
  EXPECT_EQ(dir_of(" = say \"it\"\n"), "say \"it\"");
  EXPECT_EQ(parse("#[x]\n  # y\n; z\n" + minimal + "[run] # here\ndir = a\n").run().dir, "a");
  EXPECT_EQ(error_of(minimal + "[run]\ndir # = x\n"), "r.ini:6: 'dir' is neither a section header nor key = value");
}

TEST(RecipeText, TheCommandLineHasNoComments) {
  EXPECT_EQ(parse(minimal, {"run.dir=runs/try#2"}).run().dir, "runs/try#2");
  EXPECT_EQ(parse(minimal, {"run.dir=my runs # 2"}).run().dir, "my runs # 2");
  EXPECT_EQ(parse(minimal, {"run.dir=\"a # b \""}).run().dir, "a # b ");
}

TEST(RecipeText, LinesEndInThreeWays) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    std::string text;
    for (const char c : minimal + "[train]\n\nsteps = 7\n[eval]\nper_epoch = x\n") text += c == '\n' ? end : std::string(1, c);
    EXPECT_EQ(error_of(text), "r.ini:9: eval.per_epoch: 'x' is not an integer");
  }
}

/// Whatever a value holds, the resolved recipe reads back as the same.
TEST(RecipeText, ResolvedRecipesKeepEveryValue) {
  constexpr std::string_view alphabet = " \t\n\r\f\v#;\"'\\=[]xn,%$~\x80\xc3\xa9\x7f\x01";
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string value;
    for (std::size_t length = random() % 8; value.size() < length;) value += alphabet[random() % alphabet.size()];
    const std::string override = "dataset.data_dir=" + recipe::quote(value, random() % 2 == 0);
    const Recipe first = parse(minimal, {override});
    ASSERT_EQ(value_of(first, "dataset", "data_dir"), value) << override;
    const Recipe second = parse(first.text());
    ASSERT_EQ(value_of(second, "dataset", "data_dir"), value) << first.text();
    ASSERT_EQ(second.text(), first.text());
  }
}

class RecipeFiles : public ::testing::Test {
 protected:
  std::string error_of_bytes(std::string_view bytes) const { return error_of_file(folder_.write("r.ini", bytes)); }
  static std::string error_of_file(const std::filesystem::path& file) {
    try {
      Recipe::load(file, {}, std::make_shared<FakePlugins>());
    } catch (const Error& error) {
      return error.category() == Error::Category::usage ? error.what() : "another category";
    }
    return {};
  }
  /// ASCII with `before` and `after` NUL bytes around each character.
  static std::string wide(std::size_t before, std::size_t after) {
    std::string bytes;
    for (const char c : minimal) bytes += std::string(before, '\0') + c + std::string(after, '\0');
    return bytes;
  }
  Folder folder_;
};

TEST_F(RecipeFiles, OtherEncodingsAreNamed) {
  using namespace std::string_literals;
  EXPECT_EQ(error_of_bytes("\xef\xbb\xbf" + minimal), "");
  for (const std::string& bytes : {"\xff\xfe"s + wide(0, 1), "\xfe\xff"s + wide(1, 0), wide(0, 1), wide(1, 0)})
    EXPECT_THAT(error_of_bytes(bytes), HasSubstr("it is stored as UTF-16; save it as UTF-8"));
  for (const std::string& bytes : {"\xff\xfe\0\0"s + wide(0, 3), "\0\0\xfe\xff"s + wide(3, 0), wide(0, 3), wide(3, 0)})
    EXPECT_THAT(error_of_bytes(bytes), HasSubstr("it is stored as UTF-32; save it as UTF-8"));
  EXPECT_THAT(error_of_bytes(minimal + "[run]\ndir = a\0b\n"s), HasSubstr("a NUL byte in line 6, column 8"));
}

TEST_F(RecipeFiles, WhatIsNoFileOrTooLargeIsNamed) {
  EXPECT_THAT(error_of_file(folder_.path()), HasSubstr("it is a folder"));
  EXPECT_THAT(error_of_file(folder_.path() / "none.ini"), HasSubstr("No such file"));
  const auto pipe = folder_.path() / "pipe.ini";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(error_of_file(pipe), HasSubstr("a pipe"));
  EXPECT_THAT(error_of_file("/dev/null"), HasSubstr("a device"));
  EXPECT_THAT(error_of_bytes(minimal + std::string(10 << 20, '#')), HasSubstr("more than 1 MiB"));
  EXPECT_THAT(error_of_file(folder_.write("a.ini", "include = pipe.ini\n")),
              HasSubstr("pipe.ini: it is a pipe, not a file"));
}

TEST(RecipeNotes, WhatAPluginMakesNoUseOfIsSaidOnce) {
  const auto notes = [](const std::string& text, const std::vector<std::string>& overrides = {}) {
    return parse(minimal + text, overrides).notes();
  };
  EXPECT_THAT(notes("[backend]\nname = plain\nthreads = 2\n"),
              ElementsAre("backend plain makes no use of backend.threads (r.ini:7)"));
  EXPECT_THAT(notes("[backend]\nname = plain\n", {"backend.threads=3"}),
              ElementsAre("backend plain makes no use of backend.threads (command line)"));
  EXPECT_THAT(notes("[backend]\nname = cpu\nthreads = 2\n"), IsEmpty());
  EXPECT_THAT(notes("[backend]\nname = plain\nthreads = 0\n"), IsEmpty()) << "its default";
  EXPECT_THAT(notes("[backend]\nname = cpu\nthreads = 2\n", {"backend.name=plain"}), IsEmpty()) << "it was meant for another";
}

TEST(Text, ANumberAfterAWordIsAllThatIsThere) {
  EXPECT_EQ(number_after("stage3", "stage"), 3);
  EXPECT_EQ(number_after("conv_012", "conv_"), 12);
  EXPECT_EQ(number_after("2147483647", ""), 2147483647);
  EXPECT_EQ(number_after("at-7", "at"), -7);
  for (const char* none :
       {"stage", "stage ", "stage 3", "stage3x", "stagex", "stag3", "block3", "stage+3", "stage2147483648", ""}) {
    EXPECT_EQ(number_after(none, "stage"), std::nullopt) << none;
  }
}

TEST(Text, PlacesAreCountedFromOne) {
  EXPECT_EQ(line_and_column("", 0), "line 1, column 1");
  EXPECT_EQ(line_and_column("ab\ncd", 1), "line 1, column 2");
  EXPECT_EQ(line_and_column("ab\ncd", 3), "line 2, column 1");
  EXPECT_EQ(line_and_column("ab\ncd\n", 6), "line 3, column 1");
}

}  // namespace
}  // namespace qfw::testing
