#pragma once

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <string>

namespace qfw::test {

/// A GPU that is not here, by what its data sheet and its driver say.
struct DescribedDevice {
  const char* word;  ///< for options
  int architecture;
  const char* name;
  int multiprocessors, shared_per_block, clock, memory_clock, l2;  ///< clocks in kHz
  std::size_t memory;

  /// With the names that cuDNN has for them.
  std::string json() const {
    return fmt::format(
        R"({{"version":1,"deviceVer":{}0,"driverVer":13000,"cudaDeviceId":0,"deviceName":"{}","totalGlobalMem":{},)"
        R"("maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,)"
        R"("multiProcessorCount":{},"warpSize":32,"maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":{},)"
        R"("reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,)"
        R"("maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"smClockRateKHz":{},)"
        R"("memClockRateKHz":{},"l2CacheSize":{}}})",
        architecture, name, memory, multiprocessors, shared_per_block, clock, memory_clock, l2);
  }
};

inline constexpr DescribedDevice t4{"t4", 75, "Tesla T4", 40, 65536, 1590000, 5001000, 4194304, 15843721216};
inline constexpr DescribedDevice a100{"a100",   80,         "NVIDIA A100-SXM4-80GB", 108, 166912, 1410000, 1593000,
                                      41943040, 85024112640};
inline constexpr DescribedDevice h100{"h100",   90,         "NVIDIA H100 80GB HBM3", 132, 232448, 1980000, 2619000,
                                      52428800, 85024112640};
inline constexpr DescribedDevice h200{"h200", 90, "NVIDIA H200", 132, 232448, 1980000, 3201000, 62914560, 150754820096};
inline constexpr DescribedDevice b200{"b200", 100, "NVIDIA B200", 148, 232448, 1965000, 3996000, 132644864, 191505694720};
inline constexpr std::array described_devices{t4, a100, h100, h200, b200};

}  // namespace qfw::test
