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
                AllOf(HasSubstr("no backend for NVIDIA GPUs; "), HasSubstr("backends are: cpu, reference; use cpu"),
                      ContainsRegex("NVIDIA driver \\(libcuda.so.1\\) was (not )?found on this machine")))
        << name;
  }
  // All in one way, each with what such a machine would have.
  for (const auto& [name, library] :
       std::vector<std::pair<std::string, std::string>>{{"rocm", "AMD driver \\(libhsa"},
                                                        {"opencl", "OpenCL loader \\(libOpenCL"},
                                                        {"Vulkan:0", "Vulkan loader \\(libvulkan"}}) {
    EXPECT_THAT(about_absent_backend(name, known),
                AllOf(ContainsRegex("no backend for (AMD GPUs|GPUs through (OpenCL|Vulkan)); "),
                      HasSubstr("backends are: cpu, reference; use cpu"),
                      ContainsRegex(library + "[^)]*\\) was (not )?found on this machine")))
        << name;
  }
  EXPECT_THAT(about_absent_backend("metal", known), HasSubstr("no backend for Apple GPUs; backends are"));
}

TEST(AbsentBackend, OfOtherDevicesAndLibraries) {
  EXPECT_THAT(about_absent_backend("tpu", known), HasSubstr("no backend for TPUs"));
  EXPECT_THAT(about_absent_backend("mkldnn", known), HasSubstr("oneDNN is what the backend cpu computes with"));
  EXPECT_EQ(about_absent_backend("onednn", std::vector<std::string>{"reference"}), "");
}

TEST(AbsentBackend, NothingIsSaidOfOtherNamesOrOfWhatIsThere) {
  EXPECT_EQ(about_absent_backend("cpux", known), "");
  EXPECT_EQ(about_absent_backend("", known), "");
}

TEST(AbsentBackend, OneThatServesTheSameDeviceIsNamed) {
  const std::vector<std::string> with_cuda = {"cpu", "cuda"};
  for (const char* name : {"gpu", "nvidia", "cuda:1", "TensorRT"}) {
    EXPECT_THAT(about_absent_backend(name, with_cuda), HasSubstr("the backend for NVIDIA GPUs is cuda")) << name;
  }
  EXPECT_THAT(about_absent_backend("rocm", with_cuda),
              AllOf(HasSubstr("no backend for AMD GPUs"), HasSubstr("backends are: cpu, cuda; use cpu")));
}

}  // namespace
}  // namespace qfw
