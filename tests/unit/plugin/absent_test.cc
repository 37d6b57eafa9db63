#include "plugin/absent.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

const std::vector<std::string> known = {"cpu", "reference"};

TEST(AbsentBackend, OfAGpuSaysWhatIsMissingAndWhetherThereIsADriver) {
  for (const char* name : {"cuda", "GPU", "cuda:1", "nvidia"}) {
    EXPECT_THAT(about_absent_backend(name, known),
                AllOf(HasSubstr("no backend for GPUs yet"), HasSubstr("backends are: cpu, reference; use cpu"),
                      ContainsRegex("NVIDIA driver \\(libcuda.so.1\\) was (not )?found on this machine")))
        << name;
  }
  // All in one way, each with what such a machine would have.
  for (const auto& [name, library] :
       std::vector<std::pair<std::string, std::string>>{{"rocm", "AMD driver \\(libhsa"},
                                                        {"opencl", "OpenCL loader \\(libOpenCL"},
                                                        {"Vulkan:0", "Vulkan loader \\(libvulkan"}}) {
    EXPECT_THAT(about_absent_backend(name, known),
                AllOf(HasSubstr("no backend for GPUs yet; "), HasSubstr("backends are: cpu, reference; use cpu"),
                      ContainsRegex(library + "[^)]*\\) was (not )?found on this machine")))
        << name;
  }
  EXPECT_THAT(about_absent_backend("metal", known), HasSubstr("no backend for GPUs yet; backends are"));
}

TEST(AbsentBackend, OfOtherDevicesAndLibraries) {
  EXPECT_THAT(about_absent_backend("tpu", known), HasSubstr("no backend for TPUs"));
  EXPECT_THAT(about_absent_backend("mkldnn", known), HasSubstr("oneDNN is what the backend cpu computes with"));
  EXPECT_EQ(about_absent_backend("onednn", std::vector<std::string>{"reference"}), "");
}

TEST(AbsentBackend, NothingIsSaidOfOtherNamesOrOfWhatIsThere) {
  EXPECT_EQ(about_absent_backend("cpux", known), "");
  EXPECT_EQ(about_absent_backend("", known), "");
  EXPECT_EQ(about_absent_backend("gpu", std::vector<std::string>{"cpu", "cuda"}), "");   // the nearest name is said instead
  EXPECT_EQ(about_absent_backend("rocm", std::vector<std::string>{"cpu", "cuda"}), "");  // there is one for GPUs
}

}  // namespace
}  // namespace qfw
