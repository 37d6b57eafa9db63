#include <dlfcn.h>

#include "support.h"

namespace qfw::cuda {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class LibrarySearch : public testing::Test {
 protected:
  /// The made-up library under its name in a folder below the test's own. A copy, so that it is another library.
  fs::path put(const std::string& name, const std::string& folder, const std::string& as = {}) {
    const fs::path to = path(folder) / (as.empty() ? name : as);
    fs::create_directories(to.parent_path());
    fs::copy_file(fs::path(fakes) / name, to);
    return to;
  }
  fs::path path(const std::string& folder) const { return folder_.path() / folder; }
  void make_python(const std::string& bin) {
    fs::create_directories(path(bin));
    std::ofstream(path(bin) / "python3") << "#!/bin/sh\n";
  }

  Search cudnn(const Surroundings& surroundings, int cuda = 13000) { return look_for(wanted_cudnn(cuda), surroundings); }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(LibrarySearch, TheOptionComesBeforeTheEnvironmentBeforePackagesBeforeTheSystem) {
  const fs::path option = put("libcudnn.so.9", "option"), environment = put("libcudnn.so.9", "environment");
  const fs::path package = put("libcudnn.so.9", "venv/lib/python3.11/site-packages/nvidia/cudnn/lib");
  const fs::path system = put("libcudnn.so.9", "root/usr/local/cuda/lib64");
  Surroundings all =
      nothing_around(path("empty").string() + ":" + path("option").string(),
                     {{"QFW_CUDA_LIBRARIES", path("environment").string()}, {"VIRTUAL_ENV", path("venv").string()}});
  all.root = path("root");
  for (const fs::path& first : {option, environment, package, system}) {
    EXPECT_EQ(cudnn(all).found.file(), first.string());
    fs::remove(first);
  }
  EXPECT_FALSE(cudnn(all).found);
}

TEST_F(LibrarySearch, TheLoaderIsAskedBeforeSystemFolders) {
  Surroundings surroundings = nothing_around();
  surroundings.loader = true;
  const std::vector<Place> all = places(surroundings, true);
  ASSERT_EQ(all.size(), 5u);
  EXPECT_TRUE(all[3].loader);
  const Search found = look_for({.title = "libm", .names = {"libm.so.6"}, .install = ""}, surroundings);
  EXPECT_THAT(found.found.file(), HasSubstr("/libm.so.6"));
}

TEST_F(LibrarySearch, PackagesOfEachPythonInPathAreFoundNewestFirst) {
  make_python("a/bin");
  make_python("b/bin");
  const fs::path old = put("libcudnn.so.9", "a/lib/python3.9/site-packages/nvidia/cudnn/lib");
  const fs::path recent = put("libcudnn.so.9", "a/lib/python3.12/site-packages/nvidia/cudnn/lib");
  const fs::path debian = put("libcudnn.so.9", "b/local/lib/python3.11/dist-packages/nvidia/cu13/lib");
  const Surroundings path_only =
      nothing_around("", {{"PATH", path("none").string() + ":" + path("a/bin").string() + "/:" + path("b/bin").string()}});
  for (const fs::path& first : {recent, old, debian}) {
    EXPECT_EQ(cudnn(path_only).found.file(), first.string());
    fs::remove(first);
  }
}

TEST_F(LibrarySearch, APythonThatIsALinkLeadsToBothEnds) {
  make_python("real/bin");
  fs::create_directories(path("link/bin"));
  fs::create_symlink(path("real/bin/python3"), path("link/bin/python3"));
  const Surroundings surroundings = nothing_around("", {{"PATH", path("link/bin").string()}});
  const fs::path real = put("libcudnn.so.9", "real/lib/python3.11/site-packages/nvidia/cudnn/lib");
  EXPECT_EQ(cudnn(surroundings).found.file(), real.string());
  const fs::path environment = put("libcudnn.so.9", "link/lib/python3.11/site-packages/nvidia/cudnn/lib");
  EXPECT_EQ(cudnn(surroundings).found.file(), environment.string());
}

TEST_F(LibrarySearch, TheVersionThatPyenvChoseIsFound) {
  make_python("pyenv/shims");
  std::ofstream(path("pyenv/version")) << "3.11.7\n";
  put("libcudnn.so.9", "pyenv/versions/3.12.0/lib/python3.12/site-packages/nvidia/cudnn/lib");
  const fs::path chosen = put("libcudnn.so.9", "pyenv/versions/3.11.7/lib/python3.11/site-packages/nvidia/cudnn/lib");
  EXPECT_EQ(cudnn(nothing_around("", {{"PATH", path("pyenv/shims").string()}})).found.file(), chosen.string());
}

TEST_F(LibrarySearch, ToolkitsWithoutALinkAreFoundNewestFirst) {
  put("libcudnn.so.9", "root/usr/local/cuda-12.4/lib64");
  const fs::path newer = put("libcudnn.so.9", "root/usr/local/cuda-12.8/lib64");
  Surroundings surroundings = nothing_around();
  surroundings.root = path("root");
  EXPECT_EQ(cudnn(surroundings).found.file(), newer.string());
}

TEST_F(LibrarySearch, TheDriverIsNotLookedForInPackages) {
  put("libcuda.so.1", "venv/lib/python3.11/site-packages/nvidia/cuda/lib");
  const Surroundings surroundings = nothing_around("", {{"VIRTUAL_ENV", path("venv").string()}});
  EXPECT_FALSE(look_for(wanted_driver(), surroundings).found);
}

TEST_F(LibrarySearch, ACompilerOfALaterCudaThanTheDriversIsNotTaken) {
  put("libnvrtc.so.13", "all");
  const fs::path older = put("libnvrtc.so.13", "all", "libnvrtc.so.12");
  const Surroundings surroundings = nothing_around(path("all").string());
  EXPECT_EQ(look_for(wanted_compiler(12040), surroundings).found.file(), older.string());
  EXPECT_THAT(look_for(wanted_compiler(13000), surroundings).found.file(), HasSubstr("libnvrtc.so.13"));
  fs::remove(path("all") / "libnvrtc.so.13");
  EXPECT_EQ(look_for(wanted_compiler(13000), surroundings).found.file(), older.string());
}

TEST_F(LibrarySearch, ACudnnOfALaterCudaThanTheDriversIsRefusedAndTheNextOneTaken) {
  const fs::path file = put("libcudnn.so.9", "one");
  const Search search = cudnn(nothing_around(path("one").string()), 11080);
  EXPECT_FALSE(search.found);
  EXPECT_THAT(search.refusals,
              ElementsAre(AllOf(HasSubstr(file.string()), HasSubstr("is made for CUDA 12.9, the driver serves 11.8"))));
}

TEST_F(LibrarySearch, WhatCannotBeOpenedIsToldAndPassedOver) {
  fs::create_directories(path("broken"));
  std::ofstream(path("broken") / "libcudnn.so.9") << "not a library";
  const fs::path good = put("libcudnn.so.9", "good");
  const Search search = cudnn(nothing_around(path("broken").string() + ":" + path("good").string()));
  EXPECT_EQ(search.found.file(), good.string());
  EXPECT_THAT(search.refusals,
              ElementsAre(AllOf(HasSubstr("broken/libcudnn.so.9 cannot be opened"), HasSubstr("file too short"))));
}

TEST_F(LibrarySearch, WhatALibraryOpensItselfIsOpenedFromBesideIt) {
  const fs::path part = put("libcudnn.so.9", "one", "libcudnn_graph.so.9");
  put("libcudnn.so.9", "one");
  EXPECT_EQ(dlopen(part.c_str(), RTLD_LAZY | RTLD_NOLOAD), nullptr);
  EXPECT_TRUE(cudnn(nothing_around(path("one").string())).found);
  EXPECT_NE(dlopen(part.c_str(), RTLD_LAZY | RTLD_NOLOAD), nullptr);
}

TEST_F(LibrarySearch, OneErrorNamesAllThatIsMissingAndEveryPlace) {
  make_python("a/bin");
  fs::create_directories(path("a/lib/python3.11/site-packages"));
  const Surroundings surroundings = nothing_around("/opt/mine", {{"PATH", path("a/bin").string()}});
  const Failure failure = failure_of([&] { Libraries::open(surroundings); });
  EXPECT_EQ(failure.category, Error::Category::device);
  EXPECT_THAT(
      failure.message,
      AllOf(HasSubstr("the driver (libcuda.so.1)"), HasSubstr("the compiler NVRTC (libnvrtc.so.13 or libnvrtc.so.12)"),
            HasSubstr("cuDNN (libcudnn.so.9)"), HasSubstr("backend.libraries: /opt/mine"),
            HasSubstr("QFW_CUDA_LIBRARIES: not set"), HasSubstr(path("a/lib/python3.11/site-packages").string()),
            HasSubstr("/nowhere/usr/local/cuda/lib64"), HasSubstr("nvidia-driver"), HasSubstr("pip install nvidia-cuda-nvrtc"),
            HasSubstr("pip install nvidia-cudnn-cu13"), Not(HasSubstr("NCCL"))));
}

TEST_F(LibrarySearch, WhatIsThereIsNotNamedAmongTheMissing) {
  put("libcuda.so.1", "one");
  put("libnvrtc.so.13", "one");
  const Failure failure = failure_of([&] { Libraries::open(nothing_around(path("one").string())); });
  EXPECT_THAT(failure.message, AllOf(HasSubstr("not found: cuDNN (libcudnn.so.9) ("), Not(HasSubstr("docker"))));
}

TEST_F(LibrarySearch, AnOldDriverIsRefused) {
  const Libraries libraries = Libraries::open(nothing_around(fakes));
  control_of(libraries.driver).version = 11080;
  const Failure failure = failure_of([&] { Libraries::open(nothing_around(fakes)); });
  EXPECT_THAT(failure.message, HasSubstr("libcuda.so.1 serves CUDA 11.8, 12 is the oldest that will do"));
  control_of(libraries.driver) = {};
}

TEST_F(LibrarySearch, AnOldCompilerIsRefused) {
  const Library compiler = Libraries::open(nothing_around(fakes)).compiler;
  control_of(compiler).compiler = 12020;
  const Failure failure = failure_of([&] { Libraries::open(nothing_around(fakes)); });
  EXPECT_THAT(failure.message, HasSubstr("libnvrtc.so.13 is of CUDA 12.2, that of 12.3 is the oldest that will do"));
  control_of(compiler).compiler = 12030;
  EXPECT_THAT(Libraries::open(nothing_around(fakes)).versions, HasSubstr("NVRTC 12.3,"));
  control_of(compiler) = {};
}

TEST_F(LibrarySearch, VersionsOfWhatWasFoundAreTold) {
  const Libraries libraries = Libraries::open(nothing_around(fakes));
  EXPECT_EQ(libraries.versions, "driver for CUDA 13.0, NVRTC 13.1, cuDNN 9.12.3, no NCCL");
}

TEST_F(LibrarySearch, AFunctionThatIsMissingIsToldWithTheFile) {
  const Libraries libraries = Libraries::open(nothing_around(fakes));
  void (*function)() = nullptr;
  const Failure failure = failure_of([&] { libraries.driver.bind(function, "cuOfTheFuture"); });
  EXPECT_THAT(failure.message, AllOf(HasSubstr("libcuda.so.1 has no function cuOfTheFuture"), HasSubstr(fakes)));
}

TEST(SplitFolders, EmptyOnesAreNothing) {
  const auto all = places(nothing_around(":/a::/b:"), false);
  EXPECT_THAT(all[0].folders, ElementsAre("/a", "/b"));
  EXPECT_THAT(all[1].folders, IsEmpty());
}

}  // namespace
}  // namespace qfw::cuda
