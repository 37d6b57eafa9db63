#pragma once

/// What device code that was compiled for the host sees of the emulated device: shared by the emulation and the code.
namespace emulated {

struct Dimensions {
  unsigned x = 1, y = 1, z = 1;
};

enum class Barrier { none, warp, block };

/// The state of the thread that runs; the emulation changes it when another one goes on.
struct HostThread {
  Dimensions thread{}, block{}, block_extent{}, grid_extent{};
  unsigned lane = 0;
  unsigned char* shared = nullptr;  ///< what the launch asked for besides what the kernel declares
  /// 32 lanes of 16 words each, of the thread's warp.
  unsigned long long (*slots)[16] = nullptr;
  void (*wait)(Barrier) = nullptr;
  void (*misaligned)(unsigned long address) = nullptr;  ///< throws
  // cp.async, its groups and the wait for all but the last n of them.
  void (*copy)(void* to, const void* from, int bytes, bool inside) = nullptr;
  void (*commit)() = nullptr;
  void (*wait_group)(int n) = nullptr;
};

}  // namespace emulated
