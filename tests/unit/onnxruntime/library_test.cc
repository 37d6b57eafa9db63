#include "library.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>

#include "qfw/error.h"
#include "support/files.h"

namespace qfw::onnxruntime {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class OnnxRuntimeSearch : public testing::Test {
 protected:
  /// A made-up library below the test's own folder. A copy, so that it is another library.
  fs::path put(const std::string& kind, const std::string& file) {
    fs::create_directories(path(file).parent_path());
    fs::copy_file(fs::path(QFW_FAKE_ONNXRUNTIME) / kind, path(file));
    return path(file);
  }
  fs::path path(const std::string& file) const { return folder_.path() / file; }

  /// A search that sees nothing but this folder.
  Surroundings here(std::string option = {}, std::map<std::string, std::string> variables = {}) const {
    return {.option = std::move(option),
            .environment =
                [variables = std::move(variables)](const char* name) {
                  const auto found = variables.find(name);
                  return found == variables.end() ? nullptr : found->second.c_str();
                },
            .deps = path(".deps"),
            .root = path("root"),
            .loader = false};
  }

  static std::string refusal(const Surroundings& surroundings) {
    try {
      return "found " + find_library(surroundings).file;
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), Error::Category::device);
      return error.what();
    }
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(OnnxRuntimeSearch, DepsComeBeforePackagesBeforeTheSystem) {
  const fs::path deps = put("serves", ".deps/onnxruntime/capi/libonnxruntime.so.1.32.0");
  const fs::path package = put("serves", "venv/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0");
  const fs::path system = put("serves", "root/usr/lib/libonnxruntime.so.1.21");
  const Surroundings all = here("", {{"VIRTUAL_ENV", path("venv").string()}});
  for (const fs::path& first : {deps, package, system}) {
    const Library found = find_library(all);
    EXPECT_EQ(found.file, first.string());
    EXPECT_EQ(found.version, "1.99.0");
    EXPECT_NE(found.functions, nullptr);
    fs::remove(first);
  }
  EXPECT_THAT(refusal(all), HasSubstr("was not found"));
}

TEST_F(OnnxRuntimeSearch, OfAFolderTheLatestVersionIsTaken) {
  put("serves", ".deps/onnxruntime/capi/libonnxruntime.so.1.9.0");
  const fs::path latest = put("serves", ".deps/onnxruntime/capi/libonnxruntime.so.1.32.0");
  put("foreign", ".deps/onnxruntime/capi/libonnxruntime_providers_shared.so");
  EXPECT_EQ(find_library(here()).file, latest.string());
}

TEST_F(OnnxRuntimeSearch, WhatIsNamedIsMeant) {
  put("serves", ".deps/onnxruntime/capi/libonnxruntime.so");
  const fs::path file = put("serves", "mine/some.so"), unpacked = put("serves", "onnxruntime-1.20/lib/libonnxruntime.so.1");
  const fs::path package = put("serves", "package/capi/libonnxruntime.so.1.30.0");
  EXPECT_EQ(find_library(here(file.string())).file, file.string());
  EXPECT_EQ(find_library(here(path("onnxruntime-1.20").string())).file, unpacked.string());
  EXPECT_EQ(find_library(here("", {{"QFW_ONNXRUNTIME", path("package").string()}})).file, package.string());
  EXPECT_EQ(find_library(here(file.string(), {{"QFW_ONNXRUNTIME", path("package").string()}})).file, file.string());

  // Never another one in its place.
  EXPECT_THAT(refusal(here(path("nowhere").string())),
              AllOf(HasSubstr("backend.library = "), HasSubstr("no such file or folder")));
  EXPECT_THAT(refusal(here(path("mine").string())), HasSubstr("the folder has no libonnxruntime.so"));
  EXPECT_THAT(refusal(here("", {{"QFW_ONNXRUNTIME", path("nowhere").string()}})), HasSubstr("QFW_ONNXRUNTIME = "));
}

TEST_F(OnnxRuntimeSearch, TheMessageSaysWhereAndWhatToInstall) {
  EXPECT_THAT(refusal(here("", {{"VIRTUAL_ENV", path("venv").string()}})),
              AllOf(HasSubstr("ONNX Runtime (libonnxruntime.so, 1.11 or later) was not found"),
                    HasSubstr("backend.library and QFW_ONNXRUNTIME: not set"), HasSubstr(path(".deps").string()),
                    HasSubstr("no Python in VIRTUAL_ENV"), HasSubstr(path("root/usr/lib").string()),
                    HasSubstr("scripts/setup.sh verify"), HasSubstr("pip install onnxruntime")));
}

TEST_F(OnnxRuntimeSearch, WhatDoesNotServeIsNamedWithItsReasonAndPassedOver) {
  const fs::path old = put("old", ".deps/onnxruntime/capi/libonnxruntime.so.1.8.1");
  const fs::path foreign = put("foreign", "root/usr/lib64/libonnxruntime.so");
  EXPECT_THAT(refusal(here()), AllOf(HasSubstr(old.string() + " is ONNX Runtime 1.8.1, 1.11 is the oldest that will do"),
                                     HasSubstr(foreign.string() + " is not ONNX Runtime")));
  const fs::path broken = path("root/usr/lib/libonnxruntime.so.1");
  fs::create_directories(broken.parent_path());
  std::ofstream(broken) << "no library";
  EXPECT_THAT(refusal(here()), HasSubstr(broken.string() + " cannot be opened"));
  const fs::path serves = put("serves", "root/usr/lib64/libonnxruntime.so.1.2");
  EXPECT_EQ(find_library(here()).file, serves.string());
  EXPECT_THAT(refusal(here(old.string())), AllOf(HasSubstr("1.8.1"), Not(HasSubstr(serves.string()))));
}

}  // namespace
}  // namespace qfw::onnxruntime
