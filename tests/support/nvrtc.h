#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace qfw::test {

/// NVIDIA's compiler, where it is installed. It needs no GPU.
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
  static constexpr const char* missing = "there is neither libnvrtc.so.13 nor libnvrtc.so.12";

  struct Result {
    std::string log, ptx;
  };
  /// Of `text` for "compute_90" (PTX) or "sm_90" (machine code, of which the log tells what ptxas says), with the options that
  /// numerics need. Throws with the log where it does not compile.
  Result compile(const std::string& text, const std::string& architecture) const {
    void* program = nullptr;
    using Create = int(void**, const char*, const char*, int, const char* const*, const char* const*);
    get<Create>("nvrtcCreateProgram")(&program, text.c_str(), "kernels.cu", 0, nullptr, nullptr);
    const std::string gpu = "--gpu-architecture=" + architecture;
    std::vector<const char*> options{gpu.c_str(),       "--std=c++17",      "--fmad=false",   "--ftz=true",
                                     "--prec-div=true", "--prec-sqrt=true", "-default-device"};
    const bool machine_code = architecture.starts_with("sm_");
    if (machine_code) options.push_back("--ptxas-options=-v");
    const int status = get<int(void*, int, const char* const*)>("nvrtcCompileProgram")(
        program, static_cast<int>(options.size()), options.data());
    Result result;
    result.log = text_of(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
    if (status == 0) result.ptx = text_of(program, "nvrtcGetPTXSize", "nvrtcGetPTX");
    get<int(void**)>("nvrtcDestroyProgram")(&program);
    if (status != 0) throw std::runtime_error("for " + architecture + ": " + result.log.substr(0, 4000));
    return result;
  }

 private:
  template <class F>
  F* get(const char* name) const {
    return reinterpret_cast<F*>(dlsym(library_, name));
  }
  std::string text_of(void* program, const char* size_name, const char* name) const {
    std::size_t size = 0;
    if (get<int(void*, std::size_t*)>(size_name)(program, &size) != 0) return {};
    std::string text(size, '\0');
    get<int(void*, char*)>(name)(program, text.data());
    return text;
  }

  void* library_ = nullptr;
};

/// What a kernel takes of a multiprocessor.
struct KernelResources {
  std::string name;
  int registers = 0, shared_bytes = 0;
  int stack_bytes = 0;    ///< arrays that are not held in registers, spills included
  int spilled_bytes = 0;  ///< stored and loaded
};

/// As ptxas -v tells it, in its order.
inline std::vector<KernelResources> resources_of(const std::string& log) {
  std::vector<KernelResources> all;
  const std::regex entry("Compiling entry function '(\\w+)'"), spills("(\\d+) bytes spill stores, (\\d+) bytes spill loads"),
      stack("(\\d+) bytes stack frame"), used("Used (\\d+) registers"), shared("(\\d+) bytes smem");
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) all.push_back({.name = match[1]});
    if (all.empty()) continue;
    if (std::regex_search(line, match, spills)) all.back().spilled_bytes = std::stoi(match[1]) + std::stoi(match[2]);
    if (std::regex_search(line, match, stack)) all.back().stack_bytes = std::stoi(match[1]);
    if (std::regex_search(line, match, used)) all.back().registers = std::stoi(match[1]);
    if (std::regex_search(line, match, shared)) all.back().shared_bytes = std::stoi(match[1]);
  }
  return all;
}

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

}  // namespace qfw::test
