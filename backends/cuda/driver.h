#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libraries.h"

/// The driver's functions and constants that the backend uses, declared here so that no header of CUDA is needed. A test holds
/// them against <cuda.h> where that is installed (tests/unit/cuda_device).
namespace qfw::cuda::driver {

using Result = int;
using Ordinal = int;                 // CUdevice
using Pointer = unsigned long long;  // CUdeviceptr
using Context = struct OpaqueContext*;
using StreamHandle = struct OpaqueStream*;
using EventHandle = struct OpaqueEvent*;
using Module = struct OpaqueModule*;
using FunctionHandle = struct OpaqueFunction*;
using Graph = struct OpaqueGraph*;
using GraphExec = struct OpaqueGraphExec*;

inline constexpr Result success = 0, out_of_memory = 2, no_device = 100;
inline constexpr int attribute_clock = 13;
inline constexpr int attribute_multiprocessors = 16;
inline constexpr int attribute_memory_clock = 36;
inline constexpr int attribute_memory_width = 37;
inline constexpr int attribute_major = 75;
inline constexpr int attribute_minor = 76;
inline constexpr int attribute_shared_per_block = 97;
inline constexpr int function_shared_bytes = 1, function_local_bytes = 3, function_registers = 4, function_dynamic_shared = 8;
inline constexpr unsigned schedule_blocking = 4, stream_non_blocking = 1, event_default = 0;
inline constexpr int capture_thread_local = 1, capture_relaxed = 2;

// Symbols with their versions, as every driver for CUDA 12 and 13 has them.
#define QFW_CUDA_DRIVER_FUNCTIONS(DO)                                                                                 \
  DO(cuInit, (unsigned flags))                                                                                        \
  DO(cuDriverGetVersion, (int* version))                                                                              \
  DO(cuGetErrorName, (Result result, const char** name))                                                              \
  DO(cuGetErrorString, (Result result, const char** text))                                                            \
  DO(cuDeviceGetCount, (int* count))                                                                                  \
  DO(cuDeviceGet, (Ordinal * device, int index))                                                                      \
  DO(cuDeviceGetName, (char* name, int length, Ordinal device))                                                       \
  DO(cuDeviceGetAttribute, (int* value, int attribute, Ordinal device))                                               \
  DO(cuDeviceGetUuid_v2, (void* uuid, Ordinal device))                                                                \
  DO(cuDeviceTotalMem_v2, (std::size_t * bytes, Ordinal device))                                                      \
  DO(cuDevicePrimaryCtxSetFlags_v2, (Ordinal device, unsigned flags))                                                 \
  DO(cuDevicePrimaryCtxRetain, (Context * context, Ordinal device))                                                   \
  DO(cuDevicePrimaryCtxRelease_v2, (Ordinal device))                                                                  \
  DO(cuCtxSetCurrent, (Context context))                                                                              \
  DO(cuMemGetInfo_v2, (std::size_t * free, std::size_t * total))                                                      \
  DO(cuMemAlloc_v2, (Pointer * address, std::size_t bytes))                                                           \
  DO(cuMemFree_v2, (Pointer address))                                                                                 \
  DO(cuMemAllocHost_v2, (void** memory, std::size_t bytes))                                                           \
  DO(cuMemFreeHost, (void* memory))                                                                                   \
  DO(cuMemcpyHtoDAsync_v2, (Pointer to, const void* from, std::size_t bytes, StreamHandle stream))                    \
  DO(cuMemcpyDtoHAsync_v2, (void* to, Pointer from, std::size_t bytes, StreamHandle stream))                          \
  DO(cuMemcpyDtoDAsync_v2, (Pointer to, Pointer from, std::size_t bytes, StreamHandle stream))                        \
  DO(cuStreamCreate, (StreamHandle * stream, unsigned flags))                                                         \
  DO(cuStreamDestroy_v2, (StreamHandle stream))                                                                       \
  DO(cuStreamSynchronize, (StreamHandle stream))                                                                      \
  DO(cuStreamWaitEvent, (StreamHandle stream, EventHandle event, unsigned flags))                                     \
  DO(cuStreamBeginCapture_v2, (StreamHandle stream, int mode))                                                        \
  DO(cuStreamEndCapture, (StreamHandle stream, Graph * graph))                                                        \
  DO(cuThreadExchangeStreamCaptureMode, (int* mode))                                                                  \
  DO(cuGraphInstantiateWithFlags, (GraphExec * exec, Graph graph, unsigned long long flags))                          \
  DO(cuGraphUpload, (GraphExec exec, StreamHandle stream))                                                            \
  DO(cuGraphLaunch, (GraphExec exec, StreamHandle stream))                                                            \
  DO(cuGraphDestroy, (Graph graph))                                                                                   \
  DO(cuGraphExecDestroy, (GraphExec exec))                                                                            \
  DO(cuEventCreate, (EventHandle * event, unsigned flags))                                                            \
  DO(cuEventDestroy_v2, (EventHandle event))                                                                          \
  DO(cuEventRecord, (EventHandle event, StreamHandle stream))                                                         \
  DO(cuEventElapsedTime, (float* milliseconds, EventHandle from, EventHandle to))                                     \
  DO(cuModuleLoadData, (Module * module, const void* image))                                                          \
  DO(cuModuleUnload, (Module module))                                                                                 \
  DO(cuModuleGetFunction, (FunctionHandle * function, Module module, const char* name))                               \
  DO(cuFuncGetAttribute, (int* value, int attribute, FunctionHandle function))                                        \
  DO(cuFuncSetAttribute, (FunctionHandle function, int attribute, int value))                                         \
  DO(cuLaunchKernel,                                                                                                  \
     (FunctionHandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, \
      unsigned block_z, unsigned shared_bytes, StreamHandle stream, void** parameters, void** extra))
// Since CUDA 12.4.
#define QFW_CUDA_LATER_DRIVER_FUNCTIONS(DO) DO(cuFuncLoad, (FunctionHandle function))

#define QFW_CUDA_DECLARE(name, parameters) Result(*name) parameters = nullptr;
struct Functions {
  QFW_CUDA_DRIVER_FUNCTIONS(QFW_CUDA_DECLARE)
  QFW_CUDA_LATER_DRIVER_FUNCTIONS(QFW_CUDA_DECLARE)  // null: the driver is older
};
#undef QFW_CUDA_DECLARE

/// The functions of an open libcuda.so.1.
class Driver : public Functions {
 public:
  explicit Driver(const Library& library);

  /// "CUDA_ERROR_OUT_OF_MEMORY, out of memory".
  std::string reason(Result result) const;
  /// Throws Error::Category::device unless `result` is success: which expression, the reason, where.
  void check(Result result, std::string_view expression, std::string_view where) const {
    if (result != success) failed(result, expression, where);
  }

 private:
  [[noreturn]] void failed(Result result, std::string_view expression, std::string_view where) const;
};

}  // namespace qfw::cuda::driver

/// Calls a function of a Driver; the error names the expression as it is written.
#define QFW_CUDA_CALL(driver, expression, where) (driver).check((driver).expression, #expression, where)
