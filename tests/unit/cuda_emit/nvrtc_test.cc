#include "support/nvrtc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "cuda/code.h"
#include "cuda/emit.h"
#include "emulation.h"
#include "recipes.h"

/// What NVIDIA's compiler makes of the kernels. It needs no GPU.
namespace qfw::cuda::testing {
namespace {

using test::offences;

TEST(Offences, AreFound) {
  EXPECT_THAT(offences("\tfma.rn.ftz.f32 %f1, %f2, %f3, %f4;\n"), ::testing::SizeIs(1));
  EXPECT_THAT(offences("\tfma.rn.f64 %fd1, %fd2, %fd3, %fd4;\n"), ::testing::SizeIs(1));
  EXPECT_THAT(offences("\tmul.ftz.f32 %f1, %f2, %f3;\n"), ::testing::SizeIs(1));
  EXPECT_THAT(offences("\t@%p1 add.f64 %fd1, %fd2, %fd3;\n"), ::testing::SizeIs(1));
  EXPECT_THAT(offences("\tdiv.full.ftz.f32 %f1, %f2, %f3;\n"), ::testing::SizeIs(1));
  EXPECT_THAT(offences("\tmul.rn.f32 %f1, %f2, %f3;\n"), ::testing::SizeIs(1));
  EXPECT_THAT(offences("\tmul.rn.ftz.f32 %f1, %f2, %f3;\n\tadd.rn.f64 %fd1, %fd2, %fd3;\n\tmad.lo.s32 %r1, %r2, %r3, %r4;\n"),
              ::testing::IsEmpty());
}

class Compiled : public ::testing::TestWithParam<std::string> {};

/// The kernels of all recipes, as they are: 256 images of 224 x 224.
TEST_P(Compiled, RoundsEachOpOnce) {
  const test::Nvrtc nvrtc;
  if (!nvrtc.is_there()) GTEST_SKIP() << test::Nvrtc::missing;
  Kernels kernels;
  int groups = 0;
  for (const std::string& recipe : recipes()) {
    for_each_group(recipe, false, [&](const Graph& graph, const lowering::Step& step) {
      ++groups;
      kernels.add(job_of(graph, *step.group).emitted);
    });
  }
  RecordProperty("groups", groups);
  RecordProperty("kernels", static_cast<int>(kernels.count()));
  EXPECT_GT(kernels.count(), 100u);
  std::string text(device_headers());
  for (const KernelSource& source : kernels.sources()) text += source.text;
  const std::string ptx = nvrtc.compile(text, GetParam()).ptx;
  EXPECT_THAT(offences(ptx), ::testing::IsEmpty());
  EXPECT_NE(ptx.find("mul.rn.ftz.f32"), ptx.npos);
  EXPECT_NE(ptx.find("div.rn.ftz.f32"), ptx.npos);
}

/// Each takes half a minute.
std::vector<std::string> architectures() {
  if (std::getenv("QFW_ALL_ARCHITECTURES") == nullptr) return {"compute_90"};
  return {"compute_75", "compute_80", "compute_90", "compute_100"};
}

INSTANTIATE_TEST_SUITE_P(Architecture, Compiled, ::testing::ValuesIn(architectures()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace qfw::cuda::testing
