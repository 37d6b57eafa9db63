// A libcudnn.so.9 whose heuristics propose three engines: one that is not deterministic, one that is refused when a plan is
// made of it, and one that does. It computes nothing and notes which operation it was asked for, on which addresses. Plans go
// before the handle that they were made with, the handle is told its stream before work is recorded, and whoever calls has a
// context.
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "control.h"
#include "driver_state.h"

namespace {

fake::Control control;

struct Descriptor {
  int kind = 0, engine = -1, operation = -1;
  bool finalized = false;
  std::map<int, std::vector<std::int64_t>> numbers;
  std::map<int, std::vector<Descriptor*>> parts;
  std::vector<void*> pointers;
};
std::set<Descriptor*> descriptors;

Descriptor* of(void* raw) {
  auto* descriptor = static_cast<Descriptor*>(raw);
  if (descriptors.count(descriptor) == 0) control.wrong("a descriptor that is not there is used");
  return descriptor;
}

constexpr int not_deterministic = 4, plan = 5;
int handles = 0;

bool driver_says(const char* question) { return fake::driver_says(QFW_FAKE_CUDA, question); }
int begin(const char* function) {
  if (!driver_says("fake_has_context")) control.wrong(std::string(function) + " without a context");
  return control.status(function);
}

}  // namespace

extern "C" {

fake::Control* fake_control() { return &control; }

std::size_t cudnnGetVersion() { return 91203; }
std::size_t cudnnGetCudartVersion() { return 12090; }
const char* cudnnGetErrorString(int status) { return status / 1000 == 3 ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_FAKE"; }
void cudnnGetLastErrorString(char* text, std::size_t bytes) { std::strncpy(text, "made up by a test", bytes); }
int cudnnCreate(void** handle) {
  if (const int status = begin("cudnnCreate")) return status;
  *handle = new int;
  ++handles;
  ++control.live;
  return 0;
}
int cudnnDestroy(void* handle) {
  delete static_cast<int*>(handle);
  --handles;
  --control.live;
  return begin("cudnnDestroy");
}
int cudnnSetStream(void*, void*) {
  if (driver_says("fake_is_recording")) control.wrong("cudnnSetStream while work is recorded");
  return begin("cudnnSetStream");
}

int cudnnBackendCreateDescriptor(int kind, void** raw) {
  if (const int status = control.status("cudnnBackendCreateDescriptor")) return status;
  auto* made = new Descriptor;
  made->kind = kind;
  descriptors.insert(made);
  ++control.live;
  *raw = made;
  return 0;
}
int cudnnBackendDestroyDescriptor(void* raw) {
  if (of(raw)->kind == plan && handles == 0) control.wrong("a plan outlives its handle");
  if (of(raw)->kind == plan && !driver_says("fake_has_context")) control.wrong("a plan goes without a context");
  descriptors.erase(of(raw));
  delete static_cast<Descriptor*>(raw);
  --control.live;
  return control.status("cudnnBackendDestroyDescriptor");
}
int cudnnBackendFinalize(void* raw) {
  if (const int status = control.status("cudnnBackendFinalize")) return status;
  Descriptor* descriptor = of(raw);
  if (descriptor->kind == plan) {
    const auto config = descriptor->parts.find(401);
    if (config == descriptor->parts.end()) {
      if (descriptor->numbers.count(405) == 0) return 2000;
      descriptor->engine = 7;
    } else {
      descriptor->engine = config->second.at(0)->engine;
      descriptor->operation = config->second.at(0)->operation;
    }
    if (descriptor->engine == 2) return 3000;
  }
  descriptor->finalized = true;
  return 0;
}
int cudnnBackendSetAttribute(void* raw, int attribute, int type, std::int64_t count, const void* values) {
  if (const int status = control.status("cudnnBackendSetAttribute")) return status;
  Descriptor* descriptor = of(raw);
  if (descriptor->finalized) control.wrong("a finalized descriptor is changed");
  for (std::int64_t i = 0; i < count; ++i) {
    switch (type) {
      case 15: {
        Descriptor* part = of(static_cast<void* const*>(values)[i]);
        if (!part->finalized && part->kind != 3) control.wrong("a descriptor is used before it is finalized");
        descriptor->parts[attribute].push_back(part);
        break;
      }
      case 3:
        descriptor->numbers[attribute].push_back(static_cast<const std::int64_t*>(values)[i]);
        break;
      case 6:
        descriptor->pointers.push_back(static_cast<void* const*>(values)[i]);
        break;
      case 24:
        descriptor->numbers[attribute].push_back(static_cast<const char*>(values)[i]);
        break;
      case 1:
      case 7:
      case 8:
      case 14:
        descriptor->numbers[attribute].push_back(static_cast<const int*>(values)[i]);
        break;
      default:
        break;
    }
  }
  return 0;
}
int cudnnBackendGetAttribute(void* raw, int attribute, int, std::int64_t room, std::int64_t* count, void* to) {
  if (const int status = control.status("cudnnBackendGetAttribute")) return status;
  Descriptor* descriptor = of(raw);
  *count = 1;
  switch (attribute) {
    case 202: {  // the heuristics' results
      const Descriptor& heuristics = *descriptor;
      const Descriptor& graph = *heuristics.parts.at(201).at(0);
      const bool fused = graph.parts.at(801).size() > 1;
      *count = fused || heuristics.numbers.at(200).at(0) == 2 ? 0 : 3;
      for (std::int64_t i = 0; i < room && i < *count; ++i) {
        Descriptor* config = of(static_cast<void**>(to)[i]);
        config->engine = static_cast<int>(i + 1);
        config->operation = graph.parts.at(801).at(0)->kind;
        config->finalized = true;
      }
      return 0;
    }
    case 300: {
      Descriptor* engine = of(*static_cast<void**>(to));
      engine->engine = descriptor->engine;
      engine->finalized = true;
      return 0;
    }
    case 1303:
      *count = descriptor->engine == 1 ? 1 : 0;
      if (*count > 0) *static_cast<int*>(to) = not_deterministic;
      return 0;
    case 1305:
      *count = 0;
      return 0;
    case 1301:
      *static_cast<std::int64_t*>(to) = descriptor->engine;
      return 0;
    case 402:
      *static_cast<std::int64_t*>(to) = 1000;
      return 0;
    default:
      return 2000;
  }
}
int cudnnBackendExecute(void*, void* raw_plan, void* pack) {
  if (const int status = begin("cudnnBackendExecute")) return status;
  if (!of(raw_plan)->finalized || !of(pack)->finalized) control.wrong("what is not finalized is executed");
  std::string line = "execute " + std::to_string(of(raw_plan)->operation);
  for (const void* pointer : of(pack)->pointers) line += " " + std::to_string(reinterpret_cast<std::uintptr_t>(pointer));
  control.log.push_back(line);
  return 0;
}

}  // extern "C"
