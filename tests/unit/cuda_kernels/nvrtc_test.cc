#include "support/nvrtc.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cuda/code.h"
#include "host_device.h"

// Device code is compiled with the compiler that a GPU gets it from, where that is installed.
namespace qfw::cuda::test {
namespace {

class Compiled : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Architectures, Compiled, testing::Values(75, 80, 90));

TEST_P(Compiled, AllKernelsFitInRegisters) {
  const qfw::test::Nvrtc nvrtc;
  if (!nvrtc.is_there()) GTEST_SKIP() << qfw::test::Nvrtc::missing;
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
  const auto kernels = qfw::test::resources_of(nvrtc.compile(text, fmt::format("sm_{}", architecture)).log);
  EXPECT_EQ(kernels.size(), sources.size());
  for (const qfw::test::KernelResources& kernel : kernels) {
    EXPECT_EQ(kernel.spilled_bytes, 0) << kernel.name;
    EXPECT_LE(kernel.shared_bytes, 48 << 10) << kernel.name;
    fmt::print("sm_{} {}: {} registers, {} bytes shared\n", architecture, kernel.name, kernel.registers, kernel.shared_bytes);
  }
}

}  // namespace
}  // namespace qfw::cuda::test
