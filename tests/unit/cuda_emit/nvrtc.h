#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

/// NVIDIA's compiler, where it is installed. It needs no GPU.
namespace qfw::cuda::testing {

class Nvrtc {
 public:
  Nvrtc() {
    for (const char* folder : {"", "/usr/local/cuda/lib64/"}) {
      for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12"}) {
        if (library_ == nullptr) library_ = dlopen((std::string(folder) + name).c_str(), RTLD_NOW | RTLD_LOCAL);
      }
    }
  }
  bool is_there() const { return library_ != nullptr; }

  struct Compiled {
    std::string ptx;
    std::string log;  ///< for a real architecture, "sm_90", with registers and spills
  };
  Compiled compile(const std::string& text, const std::string& architecture) const {
    void* program = nullptr;
    const auto check = [&](int status, const char* what) {
      if (status == 0) return;
      std::size_t size = 0;
      get<int(void*, std::size_t*)>("nvrtcGetProgramLogSize")(program, &size);
      std::string log(size, '\0');
      get<int(void*, char*)>("nvrtcGetProgramLog")(program, log.data());
      throw std::runtime_error(std::string(what) + " for " + architecture + ": " + std::to_string(status) + "\n" +
                               log.substr(0, 4000));
    };
    using Create = int(void**, const char*, const char*, int, const char* const*, const char* const*);
    check(get<Create>("nvrtcCreateProgram")(&program, text.c_str(), "groups.cu", 0, nullptr, nullptr), "create");
    const std::string gpu = "--gpu-architecture=" + architecture;
    const std::vector<const char*> options{gpu.c_str(),       "--std=c++17",      "--fmad=false",    "--ftz=true",
                                           "--prec-div=true", "--prec-sqrt=true", "-default-device", "--ptxas-options=-v"};
    check(get<int(void*, int, const char* const*)>("nvrtcCompileProgram")(program, static_cast<int>(options.size()),
                                                                          options.data()),
          "compile");
    Compiled compiled;
    std::size_t size = 0;
    check(get<int(void*, std::size_t*)>("nvrtcGetPTXSize")(program, &size), "size");
    compiled.ptx.resize(size);
    check(get<int(void*, char*)>("nvrtcGetPTX")(program, compiled.ptx.data()), "PTX");
    get<int(void*, std::size_t*)>("nvrtcGetProgramLogSize")(program, &size);
    compiled.log.resize(size);
    get<int(void*, char*)>("nvrtcGetProgramLog")(program, compiled.log.data());
    get<int(void**)>("nvrtcDestroyProgram")(&program);
    return compiled;
  }

 private:
  template <class F>
  F* get(const char* name) const {
    return reinterpret_cast<F*>(dlsym(library_, name));
  }

  void* library_ = nullptr;
};

/// Instructions of floats that round otherwise than each op once, or flush where bits are passed on.
inline std::vector<std::string> offences(const std::string& ptx) {
  const std::regex floats(R"(^\s*(@%?!?\w+\s+)?([a-z]\w*(\.\w+)*\.f(32|64)[\w.]*)\s.*)");
  std::set<std::string> found;
  std::istringstream lines(ptx);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (!std::regex_match(line, match, floats)) continue;
    const std::string instruction = match[2], op = instruction.substr(0, instruction.find('.'));
    const auto has = [&](const char* modifier) {
      return (instruction + ".").find(std::string(".") + modifier + ".") != std::string::npos;
    };
    const bool computes = op == "add" || op == "sub" || op == "mul" || op == "div" || op == "sqrt";
    const bool f32 = has("f32");
    const auto is_integer = [&](const char* type) { return has(type); };
    constexpr std::array integers{"s8", "u8", "s16", "u16", "s32", "u32"};
    bool right = op == "ld" || op == "st" || op == "mov" || op == "selp";
    if (computes) right = has("rn") && (has("ftz") || !f32);
    if (op == "setp" || op == "set") right = has("ftz") || !f32;
    // Between floats and integers, to whole numbers and to bf16 nothing is subnormal, or it is to stay.
    if (op == "cvt") right = has("ftz") || !f32 || has("rni") || has("bf16") || std::ranges::any_of(integers, is_integer);
    if (op == "neg" || op == "abs") right = !f32;  // of doubles it is exact
    if (!right) found.insert(instruction);
  }
  return {found.begin(), found.end()};
}

}  // namespace qfw::cuda::testing
