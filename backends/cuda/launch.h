#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "device.h"
#include "qfw/error.h"

namespace qfw::cuda {

inline constexpr unsigned threads_a_block = 256;

/// That every device takes of one launch.
inline constexpr std::size_t most_parameter_bytes = 4096;

/// A number of elements as kernels count it. `what` is counted, `where` says of what.
inline int as_int(std::int64_t number, std::string_view what, std::string_view where) {
  constexpr std::int64_t most = std::numeric_limits<int>::max() - 1024;  // the last block may look beyond
  if (number <= most) return static_cast<int>(number);
  fail(Error::Category::device, "cuda", std::to_string(number) + " " + std::string(what), where,
       "its kernels count at most " + std::to_string(most) + "; use a smaller batch or more replicas");
}

/// One thread for each of so many things, in blocks of threads_a_block; an int numbers them all.
inline LaunchShape one_thread_each(std::int64_t count, std::string_view where) {
  const auto threads = static_cast<unsigned>(as_int(count, "threads", where));
  return {.grid = {(threads + threads_a_block - 1) / threads_a_block, 1, 1}, .block = {threads_a_block, 1, 1}};
}

/// A kernel whose `body` is statements in terms of `parameters`. With `threads`, of each block, it may use all registers that
/// these leave it.
inline KernelSource kernel_source(const std::string& name, const std::string& parameters, const std::string& body,
                                  int threads = 0) {
  const std::string bounds = threads > 0 ? "__launch_bounds__(" + std::to_string(threads) + ") " : "";
  return {name, "\nextern \"C\" __global__ void " + bounds + name + "(" + parameters + ") {\n  " + body + "\n}\n"};
}

/// Launches in the compute stream with arguments of exactly the types that the kernel takes.
template <class... Arguments>
void launch(Device& device, const Function& function, const LaunchShape& shape, Arguments... arguments) {
  static_assert((std::is_trivially_copyable_v<Arguments> && ...));
  static_assert((sizeof(Arguments) + ... + 0) <= most_parameter_bytes);
  void* const pointers[] = {&arguments...};
  device.launch(Stream::compute, function, shape, pointers);
}

}  // namespace qfw::cuda
