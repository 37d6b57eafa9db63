#include "peak.h"

#include <algorithm>
#include <array>

namespace qfw::cuda {
namespace {

/// Multiplications, each with its addition, of one multiprocessor in one clock. Floats: arithmetic throughput in the CUDA C++
/// Programming Guide. The others: peak rates of dense tensor operations in NVIDIA's whitepapers of a card of each architecture,
/// divided by its multiprocessors and boost clock; where there are no tensor cores for integers, four to a 32-bit dot product.
struct Rates {
  int architecture;
  double f32, bf16, integer;
};
constexpr std::array known{
    Rates{61, 128, 0, 512},      Rates{70, 64, 0, 256},      Rates{75, 64, 0, 1024},    Rates{80, 64, 1024, 2048},
    Rates{86, 128, 512, 1024},   Rates{87, 128, 512, 1024},  Rates{89, 128, 512, 1024}, Rates{90, 128, 2048, 4096},
    Rates{100, 128, 4096, 8192}, Rates{120, 128, 512, 1024},
};

}  // namespace

Backend::Peak peak_of(const Device::Properties& device) {
  const auto found = std::ranges::find(known, device.architecture, &Rates::architecture);
  if (found == known.end()) return {};
  const double clocks = device.multiprocessors * device.clock;
  return {.f32 = clocks * found->f32, .bf16 = clocks * found->bf16, .integer = clocks * found->integer};
}

}  // namespace qfw::cuda
