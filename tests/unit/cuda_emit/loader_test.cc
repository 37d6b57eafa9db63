#include "cuda/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "counting_device.h"
#include "cuda/code.h"
#include "qfw/error.h"

namespace qfw::cuda::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names_of(const std::vector<KernelSource>& sources) {
  std::vector<std::string> names;
  for (const KernelSource& source : sources) names.push_back(source.name);
  return names;
}

TEST(Loader, CompilesTogetherWhatIsStillAskedFor) {
  CountingDevice device;
  Loader loader(device);
  const Loader::Handle a = loader.ask({"a", "text a"}), again = loader.ask({"a", "text a"});
  loader.ask({"b", "text b"});  // nobody has it
  const Loader::Handle c = loader.ask({"c", "text c"});
  EXPECT_THAT(names_of(device.loaded), ElementsAre());
  loader.load();
  EXPECT_THAT(names_of(device.loaded), ElementsAre("a", "c"));
  EXPECT_EQ((*a)->describe(), "a");
  EXPECT_EQ(*a, *again);
  const Loader::Handle b = loader.ask({"b", "text b"}), known = loader.ask({"c", "text c"});
  loader.load();
  EXPECT_THAT(names_of(device.loaded), ElementsAre("a", "c", "b"));
  EXPECT_EQ((*b)->describe(), "b");
  EXPECT_EQ(*known, *c);
  EXPECT_THROW(loader.ask({"c", "another text"}), Error);
}

std::string text_of(const std::string& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(Loader, TellsOfItsCode) {
  CountingDevice device;
  Loader loader(device);
  const Loader::Handle kernel = loader.ask({"k", "the text of k\n", "4 columns x 2 rows a thread: add, relu"});
  setenv("QFW_DUMP", "code", 1);
  ::testing::internal::CaptureStderr();
  loader.load();
  const std::string said = ::testing::internal::GetCapturedStderr();
  unsetenv("QFW_DUMP");
  std::smatch match;
  ASSERT_TRUE(std::regex_match(said, match, std::regex(R"(k \(4 columns x 2 rows a thread: add, relu\): k; (.*)/k\.cu\n)")))
      << said;
  EXPECT_EQ(text_of(match[1].str() + "/k.cu"), "#include \"headers.cuh\"\nthe text of k\n");
  EXPECT_EQ(text_of(match[1].str() + "/headers.cuh"), device_headers());
  std::filesystem::remove_all(match[1].str());
}

}  // namespace
}  // namespace qfw::cuda::testing
