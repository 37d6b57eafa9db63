#include "viewer/page.h"

#include <regex>

#include "support.h"
#include "viewer/assets.h"
#include "viewer/run_document.h"

namespace qfw::viewer {
namespace {

using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view hostile =
    "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\xe2\x80\xa8\xe2\x80\xa9&amp;\"'`${0}";

std::string page_of(const test::SampleRun& run) {
  test::TemporaryFolder folder;
  test::write_sample_run(run, folder.path() / "run");
  RunReader reader(folder.path() / "run");
  reader.refresh();
  return report_page({reader.document()});
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(Page, HoldsWhateverARunIsCalled) {
  const std::string innocent = page_of({});
  test::SampleRun run{.description = std::string(hostile), .state = "failed", .error = std::string(hostile)};
  run.class_names[3] = hostile;
  const std::string page = page_of(run);
  EXPECT_THAT(page, HasSubstr("alert(1)"));
  for (const std::string_view tag : {"<script", "</script", "<!--", "<img", "onerror=alert(2)>", "\xe2\x80\xa8"}) {
    EXPECT_EQ(count(page, tag), count(innocent, tag)) << tag;
  }
  // The data are those that went in.
  const std::string begin = R"(<script type="application/json" id="data">)";
  const std::size_t from = page.find(begin) + begin.size();
  const json::value data = json::parse(page.substr(from, page.find("</script>", from) - from));
  EXPECT_EQ(data.at("runs").at(0).at("setup").at("description"), json::string_view(hostile));
  EXPECT_EQ(data.at("runs").at(0).at("evaluation").at("class_names").at(3), json::string_view(hostile));
}

TEST(Page, ATitleIsText) {
  EXPECT_THAT(live_page("</title><script>alert(1)</script>"), Not(HasSubstr("<script>alert")));
  EXPECT_THAT(list_page("a & b"), HasSubstr("<title>a &amp; b</title>"));
}

TEST(Page, AsksForNothingElsewhere) {
  std::string page = page_of({});
  page = page.substr(0, page.find("<style>")) + page.substr(page.find("</style>"));  // elements, not texts of scripts
  const std::regex script("<script[^>]*>[^]*?</script>");
  std::string elements;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t begin = page.find("<script", at);
    elements += page.substr(at, begin - at);
    if (begin == std::string::npos) break;
    at = page.find("</script>", begin);
  }
  for (const char* word : {"src=", "http:", "https:", "//", "@import", "url("})
    EXPECT_THAT(elements, Not(HasSubstr(word))) << word;
  for (const Asset& style : styles()) {
    EXPECT_THAT(std::string(style.text), Not(HasSubstr("url("))) << style.name;
    EXPECT_THAT(std::string(style.text), Not(HasSubstr("@import"))) << style.name;
  }
}

TEST(Page, AdmitsNoScriptsButItsOwn) {
  const std::string policy = content_security_policy(false);
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(policy, Not(HasSubstr("connect-src")));
  EXPECT_THAT(content_security_policy(true), HasSubstr("connect-src 'self'"));
  EXPECT_EQ(count(policy, "'sha256-"), scripts().size() + styles().size());
  EXPECT_THAT(page_of({}), HasSubstr(R"(<meta http-equiv="Content-Security-Policy" content=")" + policy + "\">"));
}

/// Texts go into elements as texts only.
TEST(Page, ItsScriptsMakeNoMarkupOfText) {
  for (const Asset& script : scripts().subspan(1)) {
    for (const char* word : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                             "createContextualFragment"}) {
      EXPECT_THAT(std::string(script.text), Not(HasSubstr(word))) << script.name;
    }
  }
}

TEST(Page, KeepsTheNoticeOfTheLicenceOfChartJs) {
  EXPECT_THAT(page_of({}), HasSubstr("Chart.js"));
  EXPECT_THAT(page_of({}), HasSubstr("Released under the MIT License"));
}

TEST(Page, ReplacesPagesAndNothingElse) {
  test::TemporaryFolder folder;
  const fs::path file = folder.path() / "report.html";
  write_page(file, page_of({}));
  write_page(file, page_of({.description = "another"}));
  EXPECT_THAT(test::read_file(file), HasSubstr("another"));
  const fs::path other = folder.path() / "recipe.ini";
  test::write_file(other, "[model]\nname = resnet\n");
  const std::string message = test::message_of(Error::Category::usage, [&] { write_page(other, "page"); });
  EXPECT_THAT(message, HasSubstr("no page of qfw's"));
  EXPECT_EQ(test::read_file(other), "[model]\nname = resnet\n");
  EXPECT_THROW(write_page(folder.path() / "nowhere" / "a.html", "page"), Error);
  EXPECT_THROW(write_page(folder.path(), "page"), Error);
}

}  // namespace
}  // namespace qfw::viewer
