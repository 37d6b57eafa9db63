#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <tuple>

#include "counting_device.h"
#include "cuda/code.h"
#include "recipes.h"
#include "support/nvrtc.h"

/// What the kernels of the recipes take of a multiprocessor. It needs NVIDIA's compiler and no GPU.
namespace qfw::cuda::testing {
namespace {

/// All that the backend loads for the recipes' training and evaluation, by name.
std::map<std::string, KernelSource> kernels_of_recipes(int architecture) {
  std::map<std::string, KernelSource> all;
  for (const std::string& recipe : recipes()) {
    for_each_graph(recipe, false, [&](const Graph& graph, Session& session) {
      const Counted counted(graph, session.replicas().communicator(), architecture);
      for (const KernelSource& source : counted.device().loaded) all.emplace(source.name, source);
    });
  }
  return all;
}

bool all_are_wanted() { return std::getenv("QFW_ALL_ARCHITECTURES") != nullptr; }

class Resources : public ::testing::TestWithParam<int> {};

TEST_P(Resources, OfRecipesKernelsLieInRegisters) {
  const test::Nvrtc nvrtc;
  if (!nvrtc.is_there()) GTEST_SKIP() << test::Nvrtc::missing;
  const int architecture = GetParam();
  const std::map<std::string, KernelSource> sources = kernels_of_recipes(architecture);
  EXPECT_GT(sources.size(), 200u);
  // A kernel takes ptxas half a second: without all, those whose names say so, which are hashes of their texts.
  std::string text(device_headers());
  int compiled = 0;
  for (const auto& [name, source] : sources) {
    if (!all_are_wanted() && !name.ends_with("0")) continue;
    text += source.text;
    ++compiled;
  }
  std::vector<test::KernelResources> kernels = test::resources_of(nvrtc.compile(text, fmt::format("sm_{}", architecture)).log);
  EXPECT_EQ(static_cast<int>(kernels.size()), compiled);
  std::ranges::sort(kernels, std::greater(), [](const test::KernelResources& kernel) {
    return std::tuple(kernel.spilled_bytes, kernel.stack_bytes, kernel.registers);
  });
  // Divisions call their slow path, whose registers are fixed: around that, up to four words are put aside. Few elements take
  // it.
  constexpr int most_stack = 16;
  const auto divides = [&](const test::KernelResources& kernel) {
    const std::string& ops = sources.at(kernel.name).about;
    return ops.find("divide") != ops.npos || ops.find("moments") != ops.npos;
  };
  for (const test::KernelResources& kernel : kernels) {
    EXPECT_LE(kernel.stack_bytes, divides(kernel) ? most_stack : 0) << kernel.name << ": " << sources.at(kernel.name).about;
    EXPECT_TRUE(divides(kernel) || kernel.spilled_bytes == 0) << kernel.name << ": " << sources.at(kernel.name).about;
    EXPECT_LE(kernel.shared_bytes, 48 << 10) << kernel.name;
  }
  constexpr std::size_t shown = 12;
  fmt::print("sm_{}, {} of {} kernels; the worst:\n registers  shared  stack  spilled\n", architecture, compiled,
             sources.size());
  for (std::size_t i = 0; i < std::min(shown, kernels.size()); ++i) {
    const test::KernelResources& kernel = kernels[i];
    fmt::print("{:10} {:7} {:6} {:8}  {} {}\n", kernel.registers, kernel.shared_bytes, kernel.stack_bytes, kernel.spilled_bytes,
               kernel.name, sources.at(kernel.name).about.substr(0, 100));
  }
}

std::vector<int> architectures() { return all_are_wanted() ? std::vector{75, 80, 90, 100} : std::vector{90}; }

INSTANTIATE_TEST_SUITE_P(Architecture, Resources, ::testing::ValuesIn(architectures()),
                         [](const auto& info) { return fmt::format("sm_{}", info.param); });

}  // namespace
}  // namespace qfw::cuda::testing
