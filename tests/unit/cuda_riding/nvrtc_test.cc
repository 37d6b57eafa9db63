#include "support/nvrtc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "cuda/code.h"
#include "cuda/product_kernel.h"
#include "cuda/riding_text.h"
#include "passes/finish.h"
#include "qfw/builder.h"
#include "qfw/ops.h"
#include "unit/cuda_emit/recipes.h"

/// What NVIDIA's compiler makes of what rides in the recipes.
namespace qfw::cuda::testing {
namespace {

class Compiled : public ::testing::TestWithParam<int> {};

/// The kernels of a step with both node and group, by name, if the group rides.
void add_kernels(const Graph& graph, const lowering::Step& step, int architecture, std::map<std::string, std::string>& to) {
  const ProductShape shape = product_shape(graph, graph.nodes[step.node]);
  const lowering::Group& group = *step.group;
  const auto carried = static_cast<int>(std::ranges::find(group.inputs, Use{step.node, 0}) - group.inputs.begin());
  std::vector<DType> inputs, outputs;
  for (const Use use : group.inputs) inputs.push_back(graph.type(use).dtype);
  for (const Use use : group.outputs) outputs.push_back(graph.type(use).dtype);
  std::string why;
  const auto program =
      on_tiles(lowering::program_of(graph, group), carried, graph.nodes[step.node].outputs[0].shape.channels(), why);
  if (!program) return;
  const RiddenTiles tiles = *ridden_tiles(shape);
  const TileText product = tile_text(tiles.part.geometry, tiles.cut.tile, shape.in, architecture);
  const EmittedRiding emitted = emit_on_tiles(*program, carried, inputs, outputs, tiles, product);
  to.emplace(emitted.riding.source.name, emitted.riding.source.text);
  if (emitted.joining) to.emplace(emitted.joining->source.name, emitted.joining->source.text);
}

/// More elements than 32 bits count.
Graph wide() {
  GraphBuilder g({.training = true});
  const Shape src{4096, 112, 112, 64};
  const Value y =
      cast(conv2d(g.input("src", {src, DType::u8}), g.input("weights", {{1, 1, 64, 64}, DType::s8}), {}), DType::f32);
  const Moments statistics = moments(y * g.input("factor", {{64}}));
  g.fetch("mean", statistics.mean);
  g.fetch("y", cast(y + g.input("of_image", {{4096, 1, 1, 64}}) + cast(g.input("other", {src, DType::bf16}), DType::f32),
                    DType::bf16));
  return finish(g.graph());
}

/// Each takes most of a minute for all recipes.
bool all() { return std::getenv("QFW_ALL_ARCHITECTURES") != nullptr; }
std::vector<int> architectures() { return all() ? std::vector{75, 80, 90} : std::vector{90}; }

TEST_P(Compiled, RoundsEachOpOnceAndSpillsNextToNothing) {
  const test::Nvrtc nvrtc;
  if (!nvrtc.is_there()) GTEST_SKIP() << "there is neither libnvrtc.so.13 nor libnvrtc.so.12";
  std::map<std::string, std::string> kernels;
  for (const std::string& recipe : recipes()) {
    if (!all() && recipe != "imagenet/resnet50_w8_a8_fixed.ini") continue;
    for_each_group(recipe, false, [&](const Graph& graph, const lowering::Step& step) {
      if (step.node >= 0) add_kernels(graph, step, GetParam(), kernels);
    });
  }
  RecordProperty("kernels", static_cast<int>(kernels.size()));
  const Graph graph = wide();
  const lowering::StepList list = lowering::list_steps(graph, target(), true);
  for (const lowering::Step& step : list.steps) {
    if (step.node >= 0 && step.group != nullptr) add_kernels(graph, step, GetParam(), kernels);
  }
  EXPECT_TRUE(
      std::ranges::any_of(kernels, [](const auto& kernel) { return kernel.second.find("index = i64") != std::string::npos; }));
  EXPECT_GE(kernels.size(), 10U);
  std::string text(device_headers());
  for (const auto& [name, source] : kernels) text += source;
  const test::Nvrtc::Result compiled = nvrtc.compile(text, "sm_" + std::to_string(GetParam()));
  EXPECT_THAT(test::offences(compiled.ptx), ::testing::IsEmpty());
  constexpr int most = 64;  // around the call of a division's slow path
  const std::regex spilled("(\\d+) bytes spill stores");
  std::size_t entries = 0;
  for (std::sregex_iterator at(compiled.log.begin(), compiled.log.end(), spilled), end; at != end; ++at, ++entries) {
    EXPECT_LE(std::stoi((*at)[1]), most) << "bytes\n" << compiled.log;
  }
  EXPECT_EQ(entries, kernels.size());
}

INSTANTIATE_TEST_SUITE_P(Architecture, Compiled, ::testing::ValuesIn(architectures()), ::testing::PrintToStringParamName());

}  // namespace
}  // namespace qfw::cuda::testing
