#include <dlfcn.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "cuda/code.h"
#include "host_device.h"

// Device code is compiled with the compiler that a GPU gets it from, where that is installed.
namespace qfw::cuda::test {
namespace {

struct Resources {
  int registers = 0, shared_bytes = 0, spilled_bytes = 0;
};

class Nvrtc {
 public:
  Nvrtc() {
    for (const char* name :
         {"libnvrtc.so.13", "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so.13", "/usr/local/cuda/lib64/libnvrtc.so.12"}) {
      if (library_ == nullptr) library_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
  }
  bool found() const { return library_ != nullptr; }

  /// The log of a compilation with the options that numerics need, and ptxas' report.
  std::string compile(const std::string& text, int architecture, bool* succeeded) const {
    void* program = nullptr;
    call<int(void**, const char*, const char*, int, const char* const*, const char* const*)>("nvrtcCreateProgram")(
        &program, text.c_str(), "kernels.cu", 0, nullptr, nullptr);
    const std::string arch = fmt::format("--gpu-architecture=sm_{}", architecture);
    const char* const options[] = {arch.c_str(), "--std=c++17",     "-default-device",  "--fmad=false",
                                   "--ftz=true", "--prec-div=true", "--prec-sqrt=true", "--ptxas-options=-v"};
    *succeeded = call<int(void*, int, const char* const*)>("nvrtcCompileProgram")(program, std::size(options), options) == 0;
    std::size_t size = 0;
    call<int(void*, std::size_t*)>("nvrtcGetProgramLogSize")(program, &size);
    std::string log(size, '\0');
    call<int(void*, char*)>("nvrtcGetProgramLog")(program, log.data());
    call<int(void**)>("nvrtcDestroyProgram")(&program);
    return log;
  }

 private:
  template <class F>
  F* call(const char* name) const {
    return reinterpret_cast<F*>(dlsym(library_, name));
  }
  void* library_ = nullptr;
};

std::map<std::string, Resources> resources_of(const std::string& log) {
  std::map<std::string, Resources> all;
  Resources* now = nullptr;
  const std::regex entry("Compiling entry function '(\\w+)'"), spills("(\\d+) bytes spill stores, (\\d+) bytes spill loads"),
      used("Used (\\d+) registers"), shared("(\\d+) bytes smem");
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) now = &all[match[1]];
    if (now == nullptr) continue;
    if (std::regex_search(line, match, spills)) now->spilled_bytes = std::stoi(match[1]) + std::stoi(match[2]);
    if (std::regex_search(line, match, used)) now->registers = std::stoi(match[1]);
    if (std::regex_search(line, match, shared)) now->shared_bytes = std::stoi(match[1]);
  }
  return all;
}

class Compiled : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Architectures, Compiled, testing::Values(75, 80, 90));

TEST_P(Compiled, AllKernelsFitInRegisters) {
  const Nvrtc nvrtc;
  if (!nvrtc.found()) GTEST_SKIP() << "there is no libnvrtc.so.13 or .12";
  const int architecture = GetParam();
  std::vector<KernelSource> sources = kernels_of(architecture);
  if (architecture == 75) {  // those of sm_61, too
    for (const KernelSource& source : kernels_of(61)) {
      if (std::ranges::find(sources, source.name, &KernelSource::name) == sources.end()) sources.push_back(source);
    }
  }
  if (architecture < 90) {  // the same with another mnemonic: once is enough
    std::erase_if(sources, [all = sources](const KernelSource& source) {
      return source.name.starts_with("product_u8_") &&
             std::ranges::find(all, "product_s8_" + source.name.substr(11), &KernelSource::name) != all.end();
    });
  }
  std::string text(device_headers());
  for (const KernelSource& source : sources) text += source.text;
  bool succeeded = false;
  const std::string log = nvrtc.compile(text, architecture, &succeeded);
  ASSERT_TRUE(succeeded) << log;
  const auto resources = resources_of(log);
  EXPECT_EQ(resources.size(), sources.size());
  for (const auto& [name, of] : resources) {
    EXPECT_EQ(of.spilled_bytes, 0) << name;
    EXPECT_LE(of.shared_bytes, 48 << 10) << name;
    fmt::print("sm_{} {}: {} registers, {} bytes shared\n", architecture, name, of.registers, of.shared_bytes);
  }
}

}  // namespace
}  // namespace qfw::cuda::test
