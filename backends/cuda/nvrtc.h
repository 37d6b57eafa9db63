#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "code_cache.h"
#include "device.h"
#include "libraries.h"

namespace qfw::cuda {

/// NVRTC: CUDA C++ to machine code. Threads may share one.
class Compiler {
 public:
  explicit Compiler(const Library& library);

  const std::string& version() const { return version_; }  ///< "13.0"
  /// Options of every compilation: each op rounds once (code/prelude.cuh).
  static std::span<const char* const> options();
  /// What code is compiled for that is to run on a device: the newest architecture that both know, of the same generation.
  /// Throws if there is none.
  int target(int architecture) const;

  /// Machine code (a cubin) of `headers` and the source after them. Throws Error::Category::device with the compiler's output.
  std::string compile(std::string_view headers, const KernelSource& source, int target) const;
  /// The same as text for people (PTX).
  std::string assembly(std::string_view headers, const KernelSource& source, int target) const;

 private:
  struct Functions {
    int (*nvrtcVersion)(int* major, int* minor);
    const char* (*nvrtcGetErrorString)(int result);
    int (*nvrtcGetNumSupportedArchs)(int* count);
    int (*nvrtcGetSupportedArchs)(int* architectures);
    int (*nvrtcCreateProgram)(void** program, const char* text, const char* name, int headers, const char* const* header_texts,
                              const char* const* header_names);
    int (*nvrtcDestroyProgram)(void** program);
    int (*nvrtcCompileProgram)(void* program, int count, const char* const* options);
    int (*nvrtcGetProgramLogSize)(void* program, std::size_t* bytes);
    int (*nvrtcGetProgramLog)(void* program, char* log);
    int (*nvrtcGetCUBINSize)(void* program, std::size_t* bytes);
    int (*nvrtcGetCUBIN)(void* program, char* code);
    int (*nvrtcGetPTXSize)(void* program, std::size_t* bytes);
    int (*nvrtcGetPTX)(void* program, char* text);
  };
  class Program;

  std::string translate(std::string_view headers, const KernelSource& source, const std::string& architecture,
                        int (*Functions::*size)(void*, std::size_t*), int (*Functions::*get)(void*, char*)) const;
  void check(int result, std::string_view call, std::string_view where) const;

  Functions call_{};
  std::string version_;
  std::vector<int> architectures_;
};

/// Under which name the machine code of a source is kept.
std::string machine_code_key(const Compiler& compiler, std::string_view headers, const KernelSource& source, int target);

/// Machine code of each source, from the cache or compiled by several threads at once. What one thread of the process compiles
/// others wait for, so that devices that run the same program compile it once.
std::vector<std::string> machine_code(const Compiler& compiler, CodeCache& cache, std::string_view headers,
                                      std::span<const KernelSource> sources, int target);

}  // namespace qfw::cuda
