#include "library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <link.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "qfw/error.h"

namespace qfw::onnxruntime {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t oldest_api = 11;
constexpr std::string_view file_name = "libonnxruntime.so";

#ifdef __aarch64__
constexpr const char* multiarch = "aarch64-linux-gnu";
#else
constexpr const char* multiarch = "x86_64-linux-gnu";
#endif

/// What the library's only function returns.
struct ApiBase {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*version)();
};

std::string loading_error(const std::string& asked) {
  const char* text = ::dlerror();
  std::string reason = text == nullptr ? "unknown reason" : text;
  if (reason.starts_with(asked + ": ")) reason.erase(0, asked.size() + 2);
  return reason;
}

/// The files of a folder that are the library by their names, the latest version first.
std::vector<fs::path> libraries_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const fs::path& entry : lowering::entries_of(folder)) {
    const std::string name = entry.filename().string();
    const bool named = name == file_name || name.starts_with(std::string(file_name) + ".");
    if (named && lowering::is_file(entry)) found.push_back(entry);
  }
  const auto newer = [](const fs::path& a, const fs::path& b) {
    return ::strverscmp(a.filename().c_str(), b.filename().c_str()) > 0;
  };
  std::ranges::sort(found, newer);
  return found;
}

class Finder {
 public:
  /// Whether that serves. What does not is noted, but for a bare name that the loader does not find.
  bool open(const std::string& asked) {
    void* handle = ::dlopen(asked.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const std::string reason = loading_error(asked);
      const bool absent = asked.find('/') == std::string::npos && reason.starts_with("cannot open shared object file: No such");
      if (!absent) refusals.push_back(fmt::format("{} cannot be opened: {}", asked, reason));
      return false;
    }
    std::string file = asked;
    const link_map* map = nullptr;
    if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name != nullptr && *map->l_name != '\0') file = map->l_name;
    const auto base = reinterpret_cast<const ApiBase* (*)()>(::dlsym(handle, "OrtGetApiBase"));
    if (base == nullptr) {
      refusals.push_back(fmt::format("{} is not ONNX Runtime: it has no function OrtGetApiBase", file));
      return false;
    }
    const void* const* functions = base()->get_api(oldest_api);
    if (functions == nullptr) {
      refusals.push_back(
          fmt::format("{} is ONNX Runtime {}, 1.{} is the oldest that will do", file, base()->version(), oldest_api));
      return false;
    }
    found = Library{.file = file, .version = base()->version(), .functions = functions};
    return true;
  }

  bool open_one_of(const fs::path& folder) {
    return std::ranges::any_of(libraries_in(folder), [&](const fs::path& file) { return open(file.string()); });
  }

  std::optional<Library> found;
  std::vector<std::string> refusals;
};

constexpr const char* how_to_install =
    "install it: `scripts/setup.sh verify` in qfw's source tree, `pip install onnxruntime` (1.20 or later) for a Python in "
    "PATH, or Debian 13's libonnxruntime1.21";

/// The one that somebody named is meant, and no other.
Library named(const std::string& by, const std::string& value) {
  Finder finder;
  const fs::path path = value;
  if (lowering::is_folder(path)) {
    for (const fs::path& folder : {path, path / "lib", path / "capi", path / "onnxruntime" / "capi"}) {
      if (finder.open_one_of(folder)) return *finder.found;
    }
    if (finder.refusals.empty()) finder.refusals.push_back(fmt::format("the folder has no {}", file_name));
  } else if (!lowering::is_file(path)) {
    finder.refusals.emplace_back("there is no such file or folder");
  } else if (finder.open(fs::absolute(path).string())) {
    return *finder.found;
  }
  fail(Error::Category::device, "onnxruntime",
       fmt::format("{} = {} cannot be used: {}", by, value, fmt::join(finder.refusals, "; ")), {},
       fmt::format("name {} or the folder it lies in; or leave it out, and {}", file_name, how_to_install));
}

}  // namespace

Surroundings Surroundings::real(std::string option) {
  Surroundings surroundings{.option = std::move(option), .environment = [](const char* name) { return std::getenv(name); }};
  Dl_info self;
  if (::dladdr(reinterpret_cast<const void*>(&find_library), &self) != 0 && self.dli_fname != nullptr) {
    // TREE/build/PRESET/bin/libqfw_backend_onnxruntime.so, or a program of the tests likewise.
    std::error_code error;
    const fs::path file = fs::canonical(self.dli_fname, error);
    for (fs::path folder = file.parent_path(); !error && folder.has_relative_path(); folder = folder.parent_path()) {
      if (folder.filename() != "build") continue;
      surroundings.deps = folder.parent_path() / ".deps";
      break;
    }
  }
  return surroundings;
}

Library find_library(const Surroundings& surroundings) {
  if (!surroundings.option.empty()) return named("backend.library", surroundings.option);
  if (const std::string value = lowering::value_of(surroundings.environment, "QFW_ONNXRUNTIME"); !value.empty()) {
    return named("QFW_ONNXRUNTIME", value);
  }
  Finder finder;
  std::vector<std::string> searched{"backend.library and QFW_ONNXRUNTIME: not set"};
  const auto in = [&](const fs::path& folder) {
    searched.push_back(folder.string());
    return finder.open_one_of(folder);
  };
  if (!surroundings.deps.empty() && in(surroundings.deps / "onnxruntime" / "capi")) return *finder.found;

  const std::vector<fs::path> packages = lowering::package_folders(surroundings.environment);
  for (const fs::path& folder : packages) {
    if (in(folder / "onnxruntime" / "capi")) return *finder.found;
  }
  if (packages.empty()) searched.emplace_back("packages of Python: no Python in VIRTUAL_ENV, CONDA_PREFIX or PATH");

  const std::vector<std::string> by_name{std::string(file_name) + ".1", std::string(file_name)};
  if (surroundings.loader) {
    searched.push_back(fmt::format("the loader's search (LD_LIBRARY_PATH, ldconfig) for {}", fmt::join(by_name, ", ")));
    if (std::ranges::any_of(by_name, [&](const std::string& name) { return finder.open(name); })) return *finder.found;
  }
  for (const char* folder : {"usr/local/lib", "usr/lib", "usr/lib64"}) {
    if (in(surroundings.root / folder)) return *finder.found;
    if (folder == std::string_view("usr/lib") && in(surroundings.root / folder / multiarch)) return *finder.found;
  }
  std::string what = fmt::format("ONNX Runtime ({}, 1.{} or later) was not found", file_name, oldest_api);
  if (!finder.refusals.empty())
    what = fmt::format("no ONNX Runtime that can be used was found: {}", fmt::join(finder.refusals, "; "));
  fail(Error::Category::device, "onnxruntime", what, fmt::format("looked for in this order: {}", fmt::join(searched, "; ")),
       fmt::format("{}; or name it with backend.library or QFW_ONNXRUNTIME", how_to_install));
}

}  // namespace qfw::onnxruntime
