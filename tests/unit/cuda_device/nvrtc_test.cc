#include "nvrtc.h"

#include <algorithm>

#include "code.h"
#include "support.h"
#include "transposition.h"

namespace qfw::cuda {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Skips where there is none.
class Nvrtc : public testing::Test {
 protected:
  void SetUp() override {
    const Library library = look_for(wanted_compiler(0), Surroundings::real("")).found;
    if (!library) GTEST_SKIP() << "NVRTC is not installed here: " << wanted_compiler(0).install;
    compiler.emplace(library);
  }

  std::optional<Compiler> compiler;
};

const KernelSource scale{"scale", R"(extern "C" __global__ void scale(float* to, float a, float b) {
  to[threadIdx.x] = to[threadIdx.x] * a + b / a + sqrtf(b) + as_bf16(a);
})"};

TEST_F(Nvrtc, CompilesForEachGeneration) {
  for (const int architecture : {75, 80, 86, 89, 90, 100}) {
    const std::string code = compiler->compile(device_headers(), scale, compiler->target(architecture));
    EXPECT_EQ(code.substr(1, 3), "ELF") << architecture;
  }
}

TEST_F(Nvrtc, EveryOpRoundsOnceAndFlushesSubnormals) {
  const std::string text = compiler->assembly(device_headers(), scale, compiler->target(80));
  EXPECT_THAT(text, AllOf(HasSubstr("mul.rn.ftz.f32"), HasSubstr("add.rn.ftz.f32"), HasSubstr("div.rn.ftz.f32"),
                          HasSubstr("sqrt.rn.ftz.f32"), Not(HasSubstr("fma.")), Not(HasSubstr(".approx"))));
}

TEST_F(Nvrtc, FunctionsWithoutMarksAreTheDevices) {
  const KernelSource source{"k", R"(constexpr int twice(int x) { return 2 * x; }
    extern "C" __global__ void k(int* to, double* y) { *to = twice(*to); *y = qfw::elementary::exp(*y); })"};
  EXPECT_FALSE(compiler->compile(device_headers(), source, compiler->target(80)).empty());
}

TEST_F(Nvrtc, TheTranspositionsCompile) {
  for (const auto& [from, to] :
       {std::pair(DType::f32, DType::f32), {DType::bf16, DType::bf16}, {DType::bf16, DType::f32}, {DType::f16, DType::f32}}) {
    EXPECT_FALSE(compiler->compile(device_headers(), transposition_source(from, to), compiler->target(75)).empty());
  }
}

TEST_F(Nvrtc, CompilesSeveralSourcesAtOnce) {
  std::vector<KernelSource> sources;
  for (int i = 0; i < 8; ++i) {
    const std::string name = "k" + std::to_string(i);
    sources.push_back(
        {name, "extern \"C\" __global__ void " + name + "(float* to) { to[threadIdx.x] *= " + name.substr(1) + "; }"});
  }
  CodeCache none({.folder = ""});
  const auto code = machine_code(*compiler, none, device_headers(), sources, compiler->target(80));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    EXPECT_EQ(code[i].substr(1, 3), "ELF");
    EXPECT_THAT(code[i], HasSubstr(sources[i].name));
    EXPECT_EQ(code[i], compiler->compile(device_headers(), sources[i], compiler->target(80)));  // and the same bytes alone
  }
}

TEST_F(Nvrtc, WhatDoesNotCompileIsToldWithLineAndReason) {
  const KernelSource source{"wrong", "\nextern \"C\" __global__ void wrong() {\n  nonsense;\n}"};
  const Failure failure = failure_of([&] { compiler->compile(device_headers(), source, compiler->target(80)); });
  EXPECT_EQ(failure.category, Error::Category::device);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("does not compile wrong"), HasSubstr("wrong.cu(3): error"),
                                     HasSubstr("nonsense"), HasSubstr("--fmad=false"), HasSubstr("sm_80")));
}

TEST_F(Nvrtc, AnArchitectureThatItDoesNotKnowIsTold) {
  EXPECT_THAT(failure_of([&] { compiler->target(20); }).message,
              AllOf(HasSubstr("makes no code for sm_20"), HasSubstr("80, "), HasSubstr("CUDA 12")));
}

/// With the made-up NVRTC, which knows 75, 80, 86 and 90.
class MachineCode : public testing::Test {
 protected:
  CodeCache cache() { return CodeCache({.folder = folder_.path()}); }
  std::vector<KernelSource> sources(const std::string& text, int count) const {
    std::vector<KernelSource> all;
    for (int i = 0; i < count; ++i) all.push_back({"k" + std::to_string(i), text + std::to_string(i)});
    return all;
  }

  Fakes fakes;
  Compiler compiler{fakes.libraries.compiler};

 private:
  test::TemporaryFolder folder_;
};

TEST_F(MachineCode, TheNewestArchitectureOfTheSameGenerationIsTaken) {
  EXPECT_EQ(compiler.target(75), 75);
  EXPECT_EQ(compiler.target(89), 86);
  EXPECT_EQ(compiler.target(87), 86);
  EXPECT_EQ(compiler.target(90), 90);
  EXPECT_THAT(failure_of([&] { compiler.target(100); }).message, HasSubstr("newer NVRTC"));
  EXPECT_THAT(failure_of([&] { compiler.target(70); }).message, HasSubstr("nvidia-cuda-nvrtc-cu12"));
}

TEST_F(MachineCode, IsOfEachSourceInItsOrderAndMadeOnce) {
  CodeCache kept = cache();
  const auto all = sources("several ", 20);
  const auto code = machine_code(compiler, kept, "headers", all, 80);
  ASSERT_EQ(code.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_THAT(code[i], AllOf(HasSubstr("CODEheaders"), HasSubstr(all[i].text)));
  EXPECT_EQ(fakes.nvrtc.log.size(), 20u);
  EXPECT_EQ(machine_code(compiler, kept, "headers", all, 80), code);
  EXPECT_EQ(fakes.nvrtc.log.size(), 20u);
  EXPECT_EQ(fakes.nvrtc.live, 0);
}

TEST_F(MachineCode, OfOtherHeadersNamesOrArchitecturesIsOther) {
  CodeCache kept = cache();
  const std::vector<KernelSource> one{{"k", "distinct text"}}, renamed{{"l", "distinct text"}};
  machine_code(compiler, kept, "headers", one, 80);
  machine_code(compiler, kept, "others", one, 80);
  machine_code(compiler, kept, "headers", renamed, 80);
  machine_code(compiler, kept, "headers", one, 86);
  EXPECT_EQ(fakes.nvrtc.log.size(), 4u);
  EXPECT_THAT(fakes.nvrtc.log[3], HasSubstr("--gpu-architecture=sm_86"));
}

TEST_F(MachineCode, IsReadFromTheCacheAndWrittenThere) {
  CodeCache kept = cache();
  const auto all = sources("only here ", 2);
  kept.write(machine_code_key(compiler, "headers", all[0], 80), "kept");
  const auto code = machine_code(compiler, kept, "headers", all, 80);
  EXPECT_EQ(code[0], "kept");
  EXPECT_EQ(fakes.nvrtc.log.size(), 1u);
  EXPECT_EQ(cache().read(machine_code_key(compiler, "headers", all[1], 80)), code[1]);
}

TEST_F(MachineCode, TheFirstSourceThatFailsIsTold) {
  CodeCache kept = cache();
  auto all = sources("fine ", 6);
  all[2].text = "syntax error, first";
  all[4].text = "syntax error, second";
  EXPECT_THAT(failure_of([&] { machine_code(compiler, kept, "headers", all, 80); }).message,
              AllOf(HasSubstr("does not compile k2: NVRTC_ERROR_COMPILATION"), HasSubstr("this is a syntax error")));
  EXPECT_EQ(fakes.nvrtc.live, 0);
}

TEST_F(MachineCode, EveryCallThatFailsIsToldAndLeavesNothing) {
  CodeCache none({.folder = ""});
  for (long n = 1;; ++n) {
    fakes.reset();
    fakes.nvrtc.fail_at = n;
    const std::vector<KernelSource> one{{"k", "attempt " + std::to_string(n)}};
    const Failure failure = failure_of([&] { machine_code(Compiler(fakes.libraries.compiler), none, "headers", one, 80); });
    EXPECT_EQ(fakes.nvrtc.live, 0) << fakes.nvrtc.failed;
    if (fakes.nvrtc.failed.empty()) break;
    if (fakes.nvrtc.failed == "nvrtcDestroyProgram") continue;
    EXPECT_EQ(failure.category, Error::Category::device);
    EXPECT_THAT(failure.message,
                AnyOf(HasSubstr(fakes.nvrtc.failed), HasSubstr("NVRTC's result"), HasSubstr("does not compile k")));
    EXPECT_THAT(failure.message, HasSubstr("NVRTC_ERROR_FAKE"));
  }
}

}  // namespace
}  // namespace qfw::cuda
