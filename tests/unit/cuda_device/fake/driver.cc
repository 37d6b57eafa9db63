// A libcuda.so.1 without a GPU behind it. Memory is the host's, copies are done at once, kernels are only noted. It keeps to
// the driver's rules for recording and for contexts, counts what was not given back, and can fail at any call. It also answers
// what cuDNN asks of a driver when it makes plans for a device that is described to it.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include "control.h"

namespace {

enum Status {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  invalid_device = 101,
  invalid_handle = 400,
  unsupported_in_capture = 900,
  unjoined = 904,
  isolation = 905,
  captured_event = 907
};

struct Stream {
  bool recorded = false;  // into the graph that is being made
  long last_work = 0, joined = 0;
};
struct Event {
  Stream* stream = nullptr;
  long work = 0;
  int capture = 0;
};
struct Object {};

/// A device's primary context: there as long as somebody retains it. What is made in it goes with it.
struct Context {
  int retained = 0;
};

struct State {
  fake::Control control;
  std::set<void*> streams, events, modules, functions, graphs, execs, memory, locked;
  std::map<void*, int> shared;  // bytes that a function may have
  Stream* capturing = nullptr;
  int captures = 0, mode = 1;
  std::array<Context, 16> contexts;
  std::map<void*, void*> made_in;  // of what is there, by address
  long work = 0;
};

State& state() {
  static State state;
  return state;
}

thread_local void* current = nullptr;  // the context that calls of this thread mean
int somewhere = 0;

/// A status of the caller's function; no call is made without a context.
int begin(const char* function, bool needs_context = true) {
  static std::mutex mutex;  // replicas call from threads of their own
  const std::lock_guard lock(mutex);
  if (const int status = state().control.status(function)) return status;
  if (needs_context && current == nullptr) state().control.wrong(std::string(function) + " without a context");
  return success;
}

void add(std::set<void*>& all, void* object) {
  all.insert(object);
  state().made_in[object] = current;
  ++state().control.live;
}
bool remove(std::set<void*>& all, void* object) {
  if (all.erase(object) == 0) return false;
  state().made_in.erase(object);
  --state().control.live;
  return true;
}

template <class T>
T* make(std::set<void*>& all) {
  T* made = new T;
  add(all, made);
  return made;
}

template <class T>
void give_back(std::set<void*>& all, void* object, const char* function) {
  if (!remove(all, object)) return state().control.wrong(std::string(function) + " of what is not there");
  delete static_cast<T*>(object);
}

/// That the thread's context is the one in which the object was made.
void expect_own(void* object, const char* function) {
  const auto made = state().made_in.find(object);
  if (made != state().made_in.end() && made->second != current)
    state().control.wrong(std::string(function) + " with what was made in another context");
}

/// Whether such a call is refused because work is being recorded.
bool refused() { return state().capturing != nullptr && state().mode != 2; }

int work_on(void* raw, const char* function) {
  if (state().streams.count(raw) == 0) {
    state().control.wrong(std::string(function) + " on a stream that is not there");
    return invalid_value;
  }
  expect_own(raw, function);
  auto* stream = static_cast<Stream*>(raw);
  stream->last_work = ++state().work;
  if (state().capturing != nullptr && !stream->recorded) state().control.log.push_back(std::string(function) + " escapes");
  return success;
}

int unknown() { return success; }

}  // namespace

extern "C" {

fake::Control* fake_control() { return &state().control; }

// What a made-up cuDNN asks.
bool fake_is_recording() { return state().capturing != nullptr; }
bool fake_has_context() { return current != nullptr; }

int cuInit(unsigned) {
  const int status = begin("cuInit", false);
  return status != success ? status : state().control.init_status;
}
int cuDriverGetVersion(int* version) {
  *version = state().control.version;
  return begin("cuDriverGetVersion", false);
}
int cuGetErrorName(int result, const char** name) {
  *name = result == out_of_memory ? "CUDA_ERROR_OUT_OF_MEMORY"
          : result == unjoined    ? "CUDA_ERROR_STREAM_CAPTURE_UNJOINED"
                                  : "CUDA_ERROR_FAKE";
  return success;
}
int cuGetErrorString(int result, const char** text) {
  *text = result == out_of_memory ? "out of memory" : "made up by a test";
  return success;
}
int cuDeviceGetCount(int* count) {
  *count = state().control.devices;
  return begin("cuDeviceGetCount", false);
}
int cuDeviceGet(int* device, int index) {
  *device = index;
  const int status = begin("cuDeviceGet", false);
  if (status != success) return status;
  return index >= 0 && index < state().control.devices ? success : invalid_device;
}
int cuDeviceGetName(char* name, int length, int device) {
  std::strncpy(name, device == 0 ? "Fake H100" : "Fake L4", length - 1);
  return begin("cuDeviceGetName", false);
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  const fake::Control& c = state().control;
  static const std::map<int, int> values{{1, 1024},  {8, 49152},  {10, 32},  {12, 65536}, {38, 52428800},
                                         {39, 2048}, {82, 65536}, {106, 32}, {111, 1024}, {120, 1}};
  const auto known = values.find(attribute);
  *value = attribute == 16         ? c.multiprocessors
           : attribute == 75       ? c.major
           : attribute == 76       ? c.minor
           : attribute == 81       ? c.shared_per_block + 1024
           : attribute == 97       ? c.shared_per_block
           : known != values.end() ? known->second
                                   : 0;
  return begin("cuDeviceGetAttribute", false);
}
int cuDeviceTotalMem_v2(std::size_t* bytes, int) {
  *bytes = state().control.memory;
  return begin("cuDeviceTotalMem_v2", false);
}
int cuDeviceGetUuid_v2(void* uuid, int device) {
  std::memset(uuid, 7 + device, 16);
  return begin("cuDeviceGetUuid_v2", false);
}
int cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return begin("cuDevicePrimaryCtxSetFlags_v2", false); }
int cuDevicePrimaryCtxRetain(void** context, int device) {
  if (const int status = begin("cuDevicePrimaryCtxRetain", false)) return status;
  Context& own = state().contexts.at(device);
  *context = &own;
  ++own.retained;
  ++state().control.live;
  return success;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
  Context& own = state().contexts.at(device);
  if (--own.retained < 0) state().control.wrong("a context that was not retained is released");
  for (const auto& [object, context] : state().made_in) {
    if (own.retained == 0 && context == &own) state().control.wrong("a context is released before what was made in it");
  }
  --state().control.live;
  return begin("cuDevicePrimaryCtxRelease_v2", false);
}
int cuCtxSetCurrent(void* context) {
  if (const int status = begin("cuCtxSetCurrent", false)) return status;
  if (context != nullptr && static_cast<Context*>(context)->retained == 0)
    state().control.wrong("a context that was released is made current");
  current = context;
  return success;
}
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  *free = *total = state().control.memory;
  return begin("cuMemGetInfo_v2");
}
int cuMemAlloc_v2(std::uintptr_t* address, std::size_t bytes) {
  if (const int status = begin("cuMemAlloc_v2")) return status;
  if (refused()) return unsupported_in_capture;
  if (bytes == 0) return invalid_value;
  if (bytes > state().control.memory) return out_of_memory;
  void* memory = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  add(state().memory, memory);
  *address = reinterpret_cast<std::uintptr_t>(memory);
  return success;
}
int cuMemFree_v2(std::uintptr_t address) {
  void* memory = reinterpret_cast<void*>(address);
  expect_own(memory, "cuMemFree_v2");
  if (!remove(state().memory, memory)) state().control.wrong("memory that is not there is freed");
  std::free(memory);
  return begin("cuMemFree_v2");
}
int cuMemAllocHost_v2(void** memory, std::size_t bytes) {
  if (const int status = begin("cuMemAllocHost_v2")) return status;
  if (refused()) return unsupported_in_capture;
  *memory = std::malloc(bytes);
  add(state().locked, *memory);
  return success;
}
int cuMemFreeHost(void* memory) {
  if (!remove(state().locked, memory)) state().control.wrong("memory of the host that is not there is freed");
  std::free(memory);
  return begin("cuMemFreeHost");
}
static int copied(void* to, const void* from, std::size_t bytes, void* stream, const char* function) {
  if (const int status = begin(function)) return status;
  std::memcpy(to, from, bytes);
  return work_on(stream, function);
}
int cuMemcpyHtoDAsync_v2(std::uintptr_t to, const void* from, std::size_t bytes, void* stream) {
  return copied(reinterpret_cast<void*>(to), from, bytes, stream, "cuMemcpyHtoDAsync_v2");
}
int cuMemcpyDtoHAsync_v2(void* to, std::uintptr_t from, std::size_t bytes, void* stream) {
  return copied(to, reinterpret_cast<const void*>(from), bytes, stream, "cuMemcpyDtoHAsync_v2");
}
int cuMemcpyDtoDAsync_v2(std::uintptr_t to, std::uintptr_t from, std::size_t bytes, void* stream) {
  return copied(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes, stream, "cuMemcpyDtoDAsync_v2");
}
int cuStreamCreate(void** stream, unsigned flags) {
  if (const int status = begin("cuStreamCreate")) return status;
  if (flags != 1) state().control.wrong("a stream waits for the legacy stream");
  *stream = make<Stream>(state().streams);
  return success;
}
int cuStreamDestroy_v2(void* stream) {
  give_back<Stream>(state().streams, stream, "cuStreamDestroy_v2");
  return begin("cuStreamDestroy_v2");
}
int cuStreamSynchronize(void*) {
  if (const int status = begin("cuStreamSynchronize")) return status;
  return refused() ? unsupported_in_capture : success;
}
int cuStreamWaitEvent(void* raw, void* event_raw, unsigned) {
  if (const int status = begin("cuStreamWaitEvent")) return status;
  auto* stream = static_cast<Stream*>(raw);
  const auto* event = static_cast<const Event*>(event_raw);
  expect_own(raw, "cuStreamWaitEvent");
  if (state().capturing == nullptr) return event->capture == 0 ? success : captured_event;
  if (event->capture != state().captures) return isolation;
  stream->recorded = true;
  if (stream == state().capturing && event->stream != nullptr) event->stream->joined = event->work;
  return success;
}
int cuStreamBeginCapture_v2(void* raw, int mode) {
  if (const int status = begin("cuStreamBeginCapture_v2")) return status;
  if (state().capturing != nullptr) return 901;
  for (void* other : state().streams) {
    auto* stream = static_cast<Stream*>(other);
    *stream = {.recorded = other == raw};
  }
  state().capturing = static_cast<Stream*>(raw);
  state().mode = mode;
  ++state().captures;
  return success;
}
int cuStreamEndCapture(void* raw, void** graph) {
  *graph = nullptr;
  if (state().capturing != raw) return 901;
  bool all_joined = true;
  for (void* other : state().streams) {
    const auto* stream = static_cast<const Stream*>(other);
    all_joined = all_joined && (!stream->recorded || other == raw || stream->last_work <= stream->joined);
  }
  state().capturing = nullptr;
  if (const int status = begin("cuStreamEndCapture")) return status;
  if (!all_joined) return unjoined;
  *graph = make<Object>(state().graphs);
  return success;
}
int cuThreadExchangeStreamCaptureMode(int* mode) {
  std::swap(*mode, state().mode);
  return begin("cuThreadExchangeStreamCaptureMode");
}
int cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  if (const int status = begin("cuGraphInstantiateWithFlags")) return status;
  if (state().graphs.count(graph) == 0) return invalid_value;
  *exec = make<Object>(state().execs);
  return success;
}
int cuGraphUpload(void*, void* stream) {
  if (const int status = begin("cuGraphUpload")) return status;
  return work_on(stream, "cuGraphUpload");
}
int cuGraphLaunch(void* exec, void* stream) {
  if (const int status = begin("cuGraphLaunch")) return status;
  if (state().execs.count(exec) == 0) return invalid_value;
  state().control.log.push_back("replay");
  return work_on(stream, "cuGraphLaunch");
}
int cuGraphDestroy(void* graph) {
  give_back<Object>(state().graphs, graph, "cuGraphDestroy");
  return begin("cuGraphDestroy");
}
int cuGraphExecDestroy(void* exec) {
  give_back<Object>(state().execs, exec, "cuGraphExecDestroy");
  return begin("cuGraphExecDestroy");
}
int cuEventCreate(void** event, unsigned) {
  if (const int status = begin("cuEventCreate")) return status;
  *event = make<Event>(state().events);
  return success;
}
int cuEventDestroy_v2(void* event) {
  give_back<Event>(state().events, event, "cuEventDestroy_v2");
  return begin("cuEventDestroy_v2");
}
int cuEventRecord(void* raw, void* stream_raw) {
  if (const int status = begin("cuEventRecord")) return status;
  expect_own(raw, "cuEventRecord");
  expect_own(stream_raw, "cuEventRecord");
  auto* stream = static_cast<Stream*>(stream_raw);
  *static_cast<Event*>(raw) = {stream, stream->last_work,
                               state().capturing != nullptr && stream->recorded ? state().captures : 0};
  return success;
}
int cuEventElapsedTime(float* milliseconds, void* from, void* to) {
  if (const int status = begin("cuEventElapsedTime")) return status;
  for (const void* event : {from, to}) {
    if (static_cast<const Event*>(event)->capture != 0) return invalid_handle;
  }
  *milliseconds = 2.5f;
  return success;
}
int cuModuleLoadData(void** module, const void* image) {
  if (const int status = begin("cuModuleLoadData")) return status;
  if (refused()) return unsupported_in_capture;
  state().control.log.push_back("load " + std::string(static_cast<const char*>(image), 4));
  *module = make<Object>(state().modules);
  return success;
}
int cuModuleUnload(void* module) {
  give_back<Object>(state().modules, module, "cuModuleUnload");
  return begin("cuModuleUnload");
}
int cuModuleGetFunction(void** function, void* module, const char* name) {
  if (const int status = begin("cuModuleGetFunction")) return status;
  if (std::string(name).find("absent") != std::string::npos) return 500;
  *function = module;
  return success;
}
int cuFuncLoad(void*) { return begin("cuFuncLoad"); }
int cuFuncGetAttribute(int* value, int attribute, void*) {
  *value = attribute == 4 ? 40 : attribute == 3 ? 16 : 0;
  return begin("cuFuncGetAttribute");
}
int cuFuncSetAttribute(void* function, int attribute, int value) {
  if (const int status = begin("cuFuncSetAttribute")) return status;
  if (attribute != 8 || value > state().control.shared_per_block) return invalid_value;
  state().shared[function] = value;
  return success;
}
int cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned block_x, unsigned block_y, unsigned block_z,
                   unsigned shared, void* stream, void** parameters, void**) {
  if (const int status = begin("cuLaunchKernel")) return status;
  expect_own(function, "cuLaunchKernel");
  if (x == 0 || y == 0 || z == 0 || x > 0x7fffffffu || y > 65535 || z > 65535 || parameters == nullptr) return invalid_value;
  const std::uint64_t threads = std::uint64_t{block_x} * block_y * block_z;
  if (threads == 0 || threads > 1024 || block_z > 64) return invalid_value;
  if (shared > 49152 && static_cast<int>(shared) > state().shared[function]) return invalid_value;
  state().control.log.push_back("launch");
  return work_on(stream, "cuLaunchKernel");
}

// What cuDNN asks for besides; it gets along with any answer to what is not named here.
int cuLibraryLoadData(void** library, const void*, void*, void*, unsigned, void*, void*, unsigned) {
  *library = &somewhere;
  return success;
}
int cuLibraryGetKernel(void** kernel, void*, const char*) {
  *kernel = &somewhere;
  return success;
}
int cuLibraryGetModule(void** module, void*) {
  *module = &somewhere;
  return success;
}
int cuKernelGetFunction(void** function, void* kernel) {
  *function = kernel;
  return success;
}
int cuKernelGetAttribute(int* value, int, void*, int) {
  *value = 128;
  return success;
}
int cuModuleLoadDataEx(void** module, const void*, unsigned, void*, void*) {
  *module = &somewhere;
  return success;
}
int cuModuleLoadFatBinary(void** module, const void*) {
  *module = &somewhere;
  return success;
}
int cuOccupancyMaxActiveClusters(int* count, void*, void*) {
  *count = 16;
  return success;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* count, void*, int, std::size_t) {
  *count = 1;
  return success;
}
int cuGetExportTable(const void** table, const void*) {
  *table = nullptr;
  return 500;
}
#define QFW_FAKE_UNUSED(name) \
  int name() { return success; }
QFW_FAKE_UNUSED(cuCtxGetCurrent)
QFW_FAKE_UNUSED(cuCtxGetDevice)
QFW_FAKE_UNUSED(cuCtxGetLimit)
QFW_FAKE_UNUSED(cuCtxPopCurrent)
QFW_FAKE_UNUSED(cuCtxPushCurrent)
QFW_FAKE_UNUSED(cuKernelSetAttribute)
QFW_FAKE_UNUSED(cuLaunchCooperativeKernel)
QFW_FAKE_UNUSED(cuLaunchKernelEx)
QFW_FAKE_UNUSED(cuLibraryLoadFromFile)
QFW_FAKE_UNUSED(cuLibraryUnload)
QFW_FAKE_UNUSED(cuLinkAddData)
QFW_FAKE_UNUSED(cuLinkComplete)
QFW_FAKE_UNUSED(cuLinkCreate)
QFW_FAKE_UNUSED(cuLinkDestroy)
QFW_FAKE_UNUSED(cuOccupancyMaxPotentialClusterSize)
QFW_FAKE_UNUSED(cuStreamGetCtx)

int cuGetProcAddress_v2(const char* name, void** function, int, std::uint64_t, void* found) {
  static void* self = [] {
    Dl_info info{};
    dladdr(reinterpret_cast<void*>(&cuInit), &info);
    return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }();
  *function = dlsym(self, name);
  if (*function == nullptr) *function = reinterpret_cast<void*>(&unknown);
  if (found != nullptr) *static_cast<int*>(found) = 0;
  return success;
}
int cuGetProcAddress(const char* name, void** function, int version, std::uint64_t flags) {
  return cuGetProcAddress_v2(name, function, version, flags, nullptr);
}

}  // extern "C"
