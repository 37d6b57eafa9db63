#include <gmock/gmock.h>

#include <cstdlib>

#include "folders.h"
#include "qfw/schedule.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct BadCase {
  const char* name;
  std::vector<std::string> reason;  ///< all of these stand in the message
  const char* opened = nullptr;     ///< the variable that says that it was opened although it must not be
};

void PrintTo(const BadCase& bad, std::ostream* stream) { *stream << bad.name; }

/// Faults the file's bytes show: such a library is never opened.
class FaultInTheFile : public testing::TestWithParam<BadCase> {};

TEST_P(FaultInTheFile, IsListedWithItsReasonAndNeverOpened) {
  const BadCase& bad = GetParam();
  const auto folders = built_all({bad.name});
  const Catalog catalog(folders);
  ASSERT_THAT(catalog.entries(), SizeIs(1));
  const Catalog::Entry& entry = catalog.entries()[0];
  EXPECT_FALSE(entry.usable);
  EXPECT_EQ(entry.file.filename(), "libqfw_" + std::string(bad.name) + ".so");
  for (const std::string& part : bad.reason) EXPECT_THAT(entry.reason, HasSubstr(part));

  const Failure failure = failure_of([&] { catalog.get<Schedule>(bad.name); });
  EXPECT_THAT(failure.message, HasSubstr(entry.file.string()));
  for (const std::string& part : bad.reason) EXPECT_THAT(failure.message, HasSubstr(part));
  // Where the file says what it provides, the plugin exists and is broken; otherwise there is no such plugin.
  EXPECT_EQ(failure.category, entry.name.empty() ? Error::Category::usage : Error::Category::plugin);
  EXPECT_TRUE(bad.opened == nullptr || std::getenv(bad.opened) == nullptr);
}

INSTANTIATE_TEST_SUITE_P(
    BadPlugins, FaultInTheFile,
    testing::Values(BadCase{"wrong_abi", {"plugin ABI: found 99, expected 1"}, "QFW_TEST_OPENED_WRONG_ABI"},
                    BadCase{"wrong_fingerprint",
                            {"compiler: found acme 7, expected ", "headers: found 000000000000, expected "},
                            "QFW_TEST_OPENED_WRONG_FINGERPRINT"},
                    BadCase{"no_manifest", {"no manifest", "qfw_plugin_manifest_v1"}, "QFW_TEST_OPENED_NO_MANIFEST"},
                    BadCase{"no_plugin", {"no manifest"}, "QFW_TEST_OPENED_NO_PLUGIN"},  //
                    BadCase{"truncated", {"truncated"}, nullptr},                        //
                    BadCase{"no_library", {"not a library"}, nullptr},                   //
                    BadCase{"empty", {"not a library", "empty"}, nullptr}),
    [](const auto& info) { return std::string(info.param.name); });

/// Faults that only show once the library is open: nothing of it is kept.
class FaultWhenOpened : public testing::TestWithParam<BadCase> {};

TEST_P(FaultWhenOpened, FailsEveryTimeNamingTheFile) {
  const BadCase& bad = GetParam();
  const auto folders = built_all({bad.name});
  const Catalog catalog(folders);
  ASSERT_FALSE(catalog.entries().empty());
  for (const Catalog::Entry& entry : catalog.entries()) EXPECT_TRUE(entry.usable) << entry.reason;
  for (int i = 0; i < 2; ++i) {
    const Failure failure = failure_of([&] { catalog.get<Schedule>(bad.name); });
    EXPECT_EQ(failure.category, Error::Category::plugin);
    EXPECT_THAT(failure.message, HasSubstr((built(bad.name) / ("libqfw_" + std::string(bad.name) + ".so")).string()));
    for (const std::string& part : bad.reason) EXPECT_THAT(failure.message, HasSubstr(part));
  }
}

INSTANTIATE_TEST_SUITE_P(
    BadPlugins, FaultWhenOpened,
    testing::Values(BadCase{"wrong_manifest", {"magic: found 0xbad, expected 0x51465750", "manifest size: found 0x8"}},
                    BadCase{"throwing", {"throwing failed to register", "no licence server found"}},
                    BadCase{"throwing_odd", {"throwing_odd failed to register", "int 42"}},
                    BadCase{"liar", {"registers {schedule:liar, schedule:surprise}", "{schedule:liar, schedule:promised}"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(BadPlugins, TheOtherNamesOfALibraryThatThrowsAreNotKeptEither) {
  const auto folders = built_all({"throwing"});
  const Catalog catalog(folders);
  EXPECT_THAT(failure_of([&] { catalog.get<Schedule>("throwing_later"); }).message, HasSubstr("no licence server found"));
}

TEST(BadPlugins, ADuplicateNamesBothFilesAndSparesTheOthers) {
  const auto folders = built_all({"duplicate"});
  const Catalog catalog(folders);
  const Failure failure = failure_of([&] { catalog.get<Schedule>("twin"); });
  EXPECT_EQ(failure.category, Error::Category::plugin);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("schedule:twin is provided twice"), HasSubstr("libqfw_twin_a.so"),
                                     HasSubstr("libqfw_twin_b.so")));
  int conflicts = 0;
  for (const Catalog::Entry& entry : catalog.entries()) {
    EXPECT_EQ(entry.usable, entry.name != "twin") << entry.name;
    conflicts += !entry.usable;
  }
  EXPECT_EQ(conflicts, 2);
  EXPECT_EQ(catalog.get<Schedule>("only_a").doc, "only in a");
  EXPECT_EQ(catalog.get<Schedule>("only_b").doc, "only in b");
}

TEST(BadPlugins, AreNoHindranceToTheGoodOnes) {
  const auto folders = built_all(
      {"wrong_abi", "wrong_fingerprint", "no_manifest", "no_plugin", "truncated", "no_library", "empty", "throwing", "good"});
  const Catalog catalog(folders);
  EXPECT_EQ(catalog.get<Schedule>("good").make({})->value({}), 0.5);
  // Whoever asks for what is not there hears of the files that might have been it.
  const Failure failure = failure_of([&] { catalog.get<Schedule>("trunkated"); });
  EXPECT_EQ(failure.category, Error::Category::usage);
  EXPECT_THAT(failure.message,
              AllOf(HasSubstr("libqfw_truncated.so: truncated"), HasSubstr("libqfw_no_library.so: not a library")));
}

}  // namespace
}  // namespace qfw
