// A libnvrtc that compiles nothing: its machine code is "CODE" and the source. Sources with "syntax error" in them fail.
#include <cstring>
#include <mutex>

#include "control.h"

namespace {

fake::Control control;
std::mutex mutex;  // of control: NVRTC serves several threads
using Lock = std::lock_guard<std::mutex>;

struct Program {
  std::string text, code, log;
};
Program* program(void* raw) { return static_cast<Program*>(raw); }

}  // namespace

extern "C" {

fake::Control* fake_control() { return &control; }

int nvrtcVersion(int* major, int* minor) {
  const Lock lock(mutex);
  *major = control.compiler / 1000;
  *minor = control.compiler % 1000 / 10;
  return control.status("nvrtcVersion");
}
const char* nvrtcGetErrorString(int result) { return result == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_FAKE"; }
int nvrtcGetNumSupportedArchs(int* count) {
  const Lock lock(mutex);
  *count = 4;
  return control.status("nvrtcGetNumSupportedArchs");
}
int nvrtcGetSupportedArchs(int* all) {
  const Lock lock(mutex);
  const int known[]{75, 80, 86, 90};
  std::memcpy(all, known, sizeof known);
  return control.status("nvrtcGetSupportedArchs");
}
int nvrtcCreateProgram(void** made, const char* text, const char*, int, const char* const*, const char* const*) {
  const Lock lock(mutex);
  if (const int status = control.status("nvrtcCreateProgram")) return status;
  *made = new Program{text, "", ""};
  ++control.live;
  return 0;
}
int nvrtcDestroyProgram(void** raw) {
  const Lock lock(mutex);
  delete program(*raw);
  *raw = nullptr;
  --control.live;
  return control.status("nvrtcDestroyProgram");
}
int nvrtcCompileProgram(void* raw, int count, const char* const* options) {
  const Lock lock(mutex);
  if (const int status = control.status("nvrtcCompileProgram")) return status;
  std::string line = "compile";
  for (int i = 0; i < count; ++i) line += std::string(" ") + options[i];
  control.log.push_back(line);
  if (program(raw)->text.find("syntax error") != std::string::npos) {
    program(raw)->log = "k.cu(1): error: this is a syntax error\n";
    return 6;
  }
  program(raw)->code = "CODE" + program(raw)->text;
  return 0;
}
int nvrtcGetProgramLogSize(void* raw, std::size_t* bytes) {
  const Lock lock(mutex);
  *bytes = program(raw)->log.size() + 1;
  return control.status("nvrtcGetProgramLogSize");
}
int nvrtcGetProgramLog(void* raw, char* log) {
  const Lock lock(mutex);
  std::strcpy(log, program(raw)->log.c_str());
  return control.status("nvrtcGetProgramLog");
}
int nvrtcGetCUBINSize(void* raw, std::size_t* bytes) {
  const Lock lock(mutex);
  *bytes = program(raw)->code.size();
  return control.status("nvrtcGetCUBINSize");
}
int nvrtcGetCUBIN(void* raw, char* code) {
  const Lock lock(mutex);
  std::memcpy(code, program(raw)->code.data(), program(raw)->code.size());
  return control.status("nvrtcGetCUBIN");
}
int nvrtcGetPTXSize(void* raw, std::size_t* bytes) { return nvrtcGetCUBINSize(raw, bytes); }
int nvrtcGetPTX(void* raw, char* text) { return nvrtcGetCUBIN(raw, text); }

}  // extern "C"
