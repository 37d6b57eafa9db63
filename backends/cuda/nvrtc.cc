#include "nvrtc.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "qfw/error.h"
#include "qfw/processors.h"

namespace qfw::cuda {
namespace {

constexpr std::array fixed_options{
    "--std=c++20",     "-default-device",  "--fmad=false",      "--ftz=true",
    "--prec-div=true", "--prec-sqrt=true", "-diag-suppress=177"};  // a header's function that a source does not use

/// Calls `work` for 0 ... count - 1 from several threads; what the first of them throws is thrown.
template <class Work>
void in_parallel(std::size_t count, const Work& work) {
  std::vector<std::exception_ptr> errors(count);
  std::atomic<std::size_t> next{0};
  const auto loop = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::size_t wanted = std::min<std::size_t>(count, usable_processors().threads());
    for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back(loop);
    loop();
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace

class Compiler::Program {
 public:
  Program(const Compiler& compiler, const std::string& text, const std::string& name) : compiler_(compiler) {
    compiler.check(compiler.call_.nvrtcCreateProgram(&handle_, text.c_str(), name.c_str(), 0, nullptr, nullptr),
                   "nvrtcCreateProgram", name);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { compiler_.call_.nvrtcDestroyProgram(&handle_); }

  void* handle() const { return handle_; }

  std::string log() const {
    std::size_t bytes = 0;
    if (compiler_.call_.nvrtcGetProgramLogSize(handle_, &bytes) != 0 || bytes == 0) return {};
    std::string text(bytes, '\0');
    if (compiler_.call_.nvrtcGetProgramLog(handle_, text.data()) != 0) return {};
    return text.c_str();
  }

 private:
  const Compiler& compiler_;
  void* handle_ = nullptr;
};

Compiler::Compiler(const Library& library) {
#define QFW_CUDA_BIND(name) library.bind(call_.name, #name);
  QFW_CUDA_BIND(nvrtcVersion)
  QFW_CUDA_BIND(nvrtcGetErrorString)
  QFW_CUDA_BIND(nvrtcGetNumSupportedArchs)
  QFW_CUDA_BIND(nvrtcGetSupportedArchs)
  QFW_CUDA_BIND(nvrtcCreateProgram)
  QFW_CUDA_BIND(nvrtcDestroyProgram)
  QFW_CUDA_BIND(nvrtcCompileProgram)
  QFW_CUDA_BIND(nvrtcGetProgramLogSize)
  QFW_CUDA_BIND(nvrtcGetProgramLog)
  QFW_CUDA_BIND(nvrtcGetCUBINSize)
  QFW_CUDA_BIND(nvrtcGetCUBIN)
  QFW_CUDA_BIND(nvrtcGetPTXSize)
  QFW_CUDA_BIND(nvrtcGetPTX)
#undef QFW_CUDA_BIND
  int major = 0, minor = 0, count = 0;
  check(call_.nvrtcVersion(&major, &minor), "nvrtcVersion", library.file());
  version_ = fmt::format("{}.{}", major, minor);
  check(call_.nvrtcGetNumSupportedArchs(&count), "nvrtcGetNumSupportedArchs", library.file());
  architectures_.resize(count);
  check(call_.nvrtcGetSupportedArchs(architectures_.data()), "nvrtcGetSupportedArchs", library.file());
}

std::span<const char* const> Compiler::options() { return fixed_options; }

int Compiler::target(int architecture) const {
  int best = 0;
  for (const int known : architectures_) {
    if (known <= architecture && known / 10 == architecture / 10) best = std::max(best, known);
  }
  if (best != 0) return best;
  fail(Error::Category::device, "cuda",
       fmt::format("NVRTC {} makes no code for sm_{}; it does for {}", version_, architecture, fmt::join(architectures_, ", ")),
       {},
       architecture < 75 ? "CUDA 12's does for older devices: `pip install nvidia-cuda-nvrtc-cu12`"
                         : "install a newer NVRTC and, if need be, a driver for it");
}

void Compiler::check(int result, std::string_view call, std::string_view where) const {
  if (result == 0) return;
  fail(Error::Category::device, "cuda", fmt::format("{} failed: {}", call, call_.nvrtcGetErrorString(result)), where);
}

std::string Compiler::translate(std::string_view headers, const KernelSource& source, const std::string& architecture,
                                int (*Functions::*size)(void*, std::size_t*), int (*Functions::*get)(void*, char*)) const {
  const std::string file = source.name + ".cu";
  const Program program(*this, fmt::format("{}\n#line 1 \"{}\"\n{}", headers, file, source.text), file);
  const std::string where = fmt::format("{} for {}", source.name, architecture);
  const std::string choice = "--gpu-architecture=" + architecture;
  std::vector<const char*> all(fixed_options.begin(), fixed_options.end());
  all.push_back(choice.c_str());
  const int result = call_.nvrtcCompileProgram(program.handle(), static_cast<int>(all.size()), all.data());
  if (result != 0) {
    fail(Error::Category::device, "cuda",
         fmt::format("NVRTC {} does not compile {}: {}", version_, source.name, call_.nvrtcGetErrorString(result)),
         fmt::format("options {}", fmt::join(all, " ")), "its output:\n" + program.log());
  }
  std::size_t bytes = 0;
  check((call_.*size)(program.handle(), &bytes), "the size of NVRTC's result", where);
  std::string code(bytes, '\0');
  check((call_.*get)(program.handle(), code.data()), "NVRTC's result", where);
  return code;
}

std::string Compiler::compile(std::string_view headers, const KernelSource& source, int target) const {
  return translate(headers, source, fmt::format("sm_{}", target), &Functions::nvrtcGetCUBINSize, &Functions::nvrtcGetCUBIN);
}

std::string Compiler::assembly(std::string_view headers, const KernelSource& source, int target) const {
  return translate(headers, source, fmt::format("compute_{}", target), &Functions::nvrtcGetPTXSize, &Functions::nvrtcGetPTX);
}

std::string machine_code_key(const Compiler& compiler, std::string_view headers, const KernelSource& source, int target) {
  const std::string how = fmt::format("{} sm_{} {}", compiler.version(), target, fmt::join(Compiler::options(), " "));
  return CodeCache::key_of(std::array<std::string_view, 4>{how, headers, source.name, source.text});
}

std::vector<std::string> machine_code(const Compiler& compiler, CodeCache& cache, std::string_view headers,
                                      std::span<const KernelSource> sources, int target) {
  static std::mutex mutex;
  static std::map<std::string, std::string> made;  // by this process
  const std::lock_guard lock(mutex);
  std::vector<std::string> code(sources.size()), keys(sources.size());
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    keys[i] = machine_code_key(compiler, headers, sources[i], target);
    if (const auto known = made.find(keys[i]); known != made.end()) {
      code[i] = known->second;
    } else if (auto kept = cache.read(keys[i])) {
      made[keys[i]] = code[i] = std::move(*kept);
    } else {
      missing.push_back(i);
    }
  }
  if (missing.empty()) return code;
  in_parallel(missing.size(), [&](std::size_t m) {
    const std::size_t i = missing[m];
    code[i] = compiler.compile(headers, sources[i], target);
  });
  for (const std::size_t i : missing) {
    made[keys[i]] = code[i];
    cache.write(keys[i], code[i]);
  }
  cache.trim();
  return code;
}

}  // namespace qfw::cuda
