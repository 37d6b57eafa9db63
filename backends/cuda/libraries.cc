#include "libraries.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>

#include "qfw/error.h"
#include "qfw/lowering/places.h"

namespace qfw::cuda {
namespace {

namespace fs = std::filesystem;

using lowering::entries_of;
using lowering::is_file;
using lowering::is_folder;
using lowering::split_path;
using lowering::value_of;

constexpr int newest_cuda = 13, oldest_cuda = 12;
constexpr int oldest_compiler = 12030;  // those before do not know __builtin_bit_cast
#ifdef __aarch64__
#define QFW_CUDA_TARGET "sbsa-linux"
#define QFW_MULTIARCH "aarch64-linux-gnu"
#else
#define QFW_CUDA_TARGET "x86_64-linux"
#define QFW_MULTIARCH "x86_64-linux-gnu"
#endif

Place packages(const Surroundings& surroundings) {
  Place place;
  std::vector<std::string> searched;
  for (const fs::path& folder : lowering::package_folders(surroundings.environment)) {
    searched.push_back(folder.string());
    for (const fs::path& package : entries_of(folder / "nvidia")) {
      if (is_folder(package / "lib")) place.folders.push_back(package / "lib");
    }
  }
  place.label = searched.empty() ? "packages of Python: no Python in VIRTUAL_ENV, CONDA_PREFIX or PATH"
                                 : fmt::format("packages of Python: nvidia/*/lib in {}", fmt::join(searched, ", "));
  const std::string conda = value_of(surroundings.environment, "CONDA_PREFIX");
  if (!conda.empty()) {
    place.folders.push_back(fs::path(conda) / "lib");
    place.label += fmt::format(", {}/lib", conda);
  }
  return place;
}

Place named(std::string title, const std::string& folders) {
  Place place{.label = fmt::format("{}: {}", title, folders.empty() ? "not set" : folders)};
  for (const std::string& folder : split_path(folders)) place.folders.emplace_back(folder);
  return place;
}

/// The libraries that `file` opens itself, so that it gets these and need not find them.
void open_parts(const fs::path& file, const std::vector<std::string>& beginnings) {
  for (const std::string& beginning : beginnings) {
    for (const fs::path& entry : entries_of(file.parent_path())) {
      if (entry.filename().string().starts_with(beginning)) ::dlopen(entry.c_str(), RTLD_LAZY | RTLD_LOCAL);
    }
  }
}

/// What of dlerror()'s text stands after the name of the library.
std::string loading_error(const std::string& asked) {
  const char* text = ::dlerror();
  std::string reason = text == nullptr ? "unknown reason" : text;
  if (reason.starts_with(asked + ": ")) reason.erase(0, asked.size() + 2);
  return reason;
}

class Finder {
 public:
  explicit Finder(const Wanted& wanted) : wanted_(wanted) {}

  bool in(const Place& place) {
    for (const std::string& name : wanted_.names) {
      if (place.loader && suits(name, ::dlopen(name.c_str(), RTLD_LAZY | RTLD_LOCAL), name)) return true;
    }
    for (const fs::path& folder : place.folders) {
      for (const std::string& name : wanted_.names) {
        const fs::path file = folder / name;
        if (!is_file(file)) continue;
        open_parts(file, wanted_.parts);
        if (suits(name, ::dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL), file.string())) return true;
      }
    }
    return false;
  }

  Search take() { return std::move(search_); }

 private:
  bool suits(const std::string& name, void* handle, const std::string& asked) {
    if (handle == nullptr) {
      const std::string reason = loading_error(asked);
      const bool absent = asked == name && reason.starts_with("cannot open shared object file: No such file");
      if (!absent) search_.refusals.push_back(fmt::format("{} cannot be opened: {}", asked, reason));
      return false;
    }
    const Library library(handle, name);
    open_parts(library.file(), wanted_.parts);
    std::string objection;
    try {
      if (wanted_.objection) objection = wanted_.objection(library);
    } catch (const Error& error) {
      objection = fmt::format("does not serve: {}", error.what());
    }
    if (objection.empty()) {
      search_.found = library;
      return true;
    }
    search_.refusals.push_back(fmt::format("{} {}", library.file(), objection));
    return false;
  }

  const Wanted& wanted_;
  Search search_;
};

std::string dotted(int cuda) { return fmt::format("{}.{}", cuda / 1000, cuda % 1000 / 10); }

int compiler_number(const Library& library) {
  int (*version)(int*, int*) = nullptr;
  int major = 0, minor = 0;
  library.bind(version, "nvrtcVersion");
  version(&major, &minor);
  return 1000 * major + 10 * minor;
}

std::size_t cudnn_number(const Library& library, const char* function) {
  std::size_t (*version)() = nullptr;
  library.bind(version, function);
  return version();
}

std::string cudnn_version(const Library& library) {
  const std::size_t version = cudnn_number(library, "cudnnGetVersion");
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::string nccl_version(const Library& library) {
  int (*get)(int*) = nullptr;
  int version = 0;
  library.bind(get, "ncclGetVersion");
  if (get(&version) != 0) return "of unknown version";
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

int cuda_of_driver(const Library& library) {
  int (*get)(int*) = nullptr;
  int version = 0;
  library.bind(get, "cuDriverGetVersion");
  if (const int status = get(&version); status != 0) {
    fail(Error::Category::device, "cuda", fmt::format("cuDriverGetVersion failed: error {}", status), library.file());
  }
  return version;
}

/// cuDNN opens these by name, built for a CUDA of its own: where it was found in a folder that was named, they may lie in
/// another such folder.
void open_for_cudnn(const Library& cudnn, const Surroundings& surroundings) {
  const int major = static_cast<int>(cudnn_number(cudnn, "cudnnGetCudartVersion") / 1000);
  Surroundings named = surroundings;
  named.loader = false;
  for (const char* name : {"libnvrtc.so", "libcublasLt.so"}) {
    const std::string file = fmt::format("{}.{}", name, major);
    if (void* open = ::dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD); open != nullptr) continue;
    look_for({.title = name, .names = {file}, .install = "", .parts = {"libnvrtc-builtins.so"}}, named);
  }
}

}  // namespace

Library::Library(void* handle, std::string name) : handle_(handle), name_(std::move(name)), file_(name_) {
  const link_map* map = nullptr;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name != nullptr && *map->l_name != '\0') file_ = map->l_name;
}

void* Library::find(const char* function) const { return ::dlsym(handle_, function); }

void* Library::get(const char* function) const {
  if (void* found = find(function); found != nullptr) return found;
  fail(Error::Category::device, "cuda", fmt::format("{} has no function {}", name_, function), file_,
       "install a newer version of it");
}

Surroundings Surroundings::real(std::string option) {
  return {.option = std::move(option), .environment = [](const char* name) { return std::getenv(name); }};
}

const std::vector<std::string>& system_folders() {
  static const std::vector<std::string> folders{
      "usr/local/cuda/lib64",
      "usr/local/cuda/targets/" QFW_CUDA_TARGET "/lib",
      "usr/lib/" QFW_MULTIARCH,
      "usr/lib64",
      "usr/lib",
      "opt/cuda/lib64",
      "usr/local/nvidia/lib64",
      "usr/lib/wsl/lib",
      "run/opengl-driver/lib",
      "usr/local/cuda/compat",
  };
  return folders;
}

std::vector<Place> places(const Surroundings& surroundings, bool in_packages) {
  std::vector<Place> places{named("backend.libraries", surroundings.option),
                            named("QFW_CUDA_LIBRARIES", value_of(surroundings.environment, "QFW_CUDA_LIBRARIES"))};
  if (in_packages) places.push_back(packages(surroundings));
  if (surroundings.loader) places.push_back({.label = "the loader's search (LD_LIBRARY_PATH, ldconfig)", .loader = true});
  Place system;
  std::vector<std::string> all;
  for (const std::string& folder : system_folders()) {
    const fs::path path = surroundings.root / folder;
    all.push_back(path.string());
    if (is_folder(path)) system.folders.push_back(path);
  }
  std::vector<fs::path> toolkits = entries_of(surroundings.root / "usr/local");
  for (auto toolkit = toolkits.rbegin(); toolkit != toolkits.rend(); ++toolkit) {
    const fs::path folder = *toolkit / "lib64";
    if (toolkit->filename().string().starts_with("cuda-") && is_folder(folder)) system.folders.push_back(folder);
  }
  all.push_back((surroundings.root / "usr/local/cuda-*/lib64").string());
  system.label = fmt::format("{}", fmt::join(all, ", "));
  places.push_back(std::move(system));
  return places;
}

Search look_for(const Wanted& wanted, const Surroundings& surroundings) {
  Finder finder(wanted);
  for (const Place& place : places(surroundings, wanted.in_packages)) {
    if (finder.in(place)) break;
  }
  return finder.take();
}

Wanted wanted_driver() {
  return {.title = "the driver",
          .names = {"libcuda.so.1"},
          .install =
              "the NVIDIA driver (Debian: nvidia-driver and libcuda1; in a container it comes from the host, "
              "`docker run --gpus all`)",
          .in_packages = false,
          .objection = [](const Library& library) -> std::string {
            const int cuda = cuda_of_driver(library);
            if (cuda / 1000 >= oldest_cuda) return {};
            return fmt::format("serves CUDA {}, {} is the oldest that will do", dotted(cuda), oldest_cuda);
          }};
}

Wanted wanted_compiler(int cuda) {
  // A driver does not load code that a compiler of a later CUDA than its own made.
  const int newest = cuda == 0 ? newest_cuda : std::min(cuda / 1000, newest_cuda);
  Wanted wanted{.title = "the compiler NVRTC",
                .install = newest >= 13 ? "`pip install nvidia-cuda-nvrtc` (Debian, from NVIDIA's repository: cuda-nvrtc-13-0)"
                                        : "`pip install nvidia-cuda-nvrtc-cu12` (Debian 13: libnvrtc12)",
                .parts = {"libnvrtc-builtins.so."},
                .objection = [](const Library& library) -> std::string {
                  const int version = compiler_number(library);
                  if (version >= oldest_compiler) return {};
                  return fmt::format("is of CUDA {}, that of {} is the oldest that will do", dotted(version),
                                     dotted(oldest_compiler));
                }};
  for (int major = newest; major >= oldest_cuda; --major) wanted.names.push_back(fmt::format("libnvrtc.so.{}", major));
  return wanted;
}

Wanted wanted_cudnn(int cuda) {
  const int newest = cuda == 0 ? newest_cuda : std::min(cuda / 1000, newest_cuda);
  return {
      .title = "cuDNN",
      .names = {"libcudnn.so.9"},
      .install = fmt::format("`pip install nvidia-cudnn-cu{0}` (Debian, from NVIDIA's repository: libcudnn9-cuda-{0})", newest),
      .parts = {"libcudnn_graph.so.", "libcudnn_heuristic.so.", "libcudnn_engines_precompiled.so.",
                "libcudnn_engines_runtime_compiled.so."},
      .objection = [cuda](const Library& library) -> std::string {
        const int made_for = static_cast<int>(cudnn_number(library, "cudnnGetCudartVersion"));
        if (cuda == 0 || made_for / 1000 <= cuda / 1000) return {};
        return fmt::format("is made for CUDA {}, the driver serves {}", dotted(made_for), dotted(cuda));
      }};
}

Wanted wanted_nccl(int cuda) {
  const int newest = cuda == 0 ? newest_cuda : std::min(cuda / 1000, newest_cuda);
  return {.title = "NCCL",
          .names = {"libnccl.so.2"},
          .install = fmt::format("`pip install nvidia-nccl-cu{}` (Debian, from NVIDIA's repository: libnccl2)", newest)};
}

Libraries Libraries::open(const Surroundings& surroundings) {
  Libraries libraries;
  std::vector<std::string> missing, refusals, install;
  bool only_driver = true;
  const auto need = [&](const Wanted& wanted) {
    Search search = look_for(wanted, surroundings);
    if (!search.found) {
      missing.push_back(fmt::format("{} ({})", wanted.title, fmt::join(wanted.names, " or ")));
      install.push_back(wanted.install);
      refusals.insert(refusals.end(), search.refusals.begin(), search.refusals.end());
      only_driver = only_driver && !wanted.in_packages;
    }
    return search.found;
  };
  libraries.driver = need(wanted_driver());
  if (libraries.driver) libraries.cuda = cuda_of_driver(libraries.driver);
  libraries.compiler = need(wanted_compiler(libraries.cuda));
  libraries.cudnn = need(wanted_cudnn(libraries.cuda));
  if (!missing.empty()) {
    std::string what = fmt::format("not found: {}", fmt::join(missing, ", "));
    if (!refusals.empty()) what += fmt::format("; found, but {}", fmt::join(refusals, "; "));
    std::vector<std::string> searched;
    for (const Place& place : places(surroundings, !only_driver)) searched.push_back(place.label);
    fail(Error::Category::device, "cuda", what, fmt::format("looked for in this order: {}", fmt::join(searched, "; ")),
         fmt::format("install {}; or name the folder where it lies with backend.libraries or QFW_CUDA_LIBRARIES",
                     fmt::join(install, ", and ")));
  }
  open_for_cudnn(libraries.cudnn, surroundings);
  libraries.nccl = look_for(wanted_nccl(libraries.cuda), surroundings).found;
  libraries.versions = fmt::format("driver for CUDA {}, NVRTC {}, cuDNN {}, {}", dotted(libraries.cuda),
                                   dotted(compiler_number(libraries.compiler)), cudnn_version(libraries.cudnn),
                                   libraries.nccl ? "NCCL " + nccl_version(libraries.nccl) : "no NCCL");
  return libraries;
}

}  // namespace qfw::cuda
