#pragma once

#include <cstddef>
#include <map>

namespace emulated {

/// Memory of the emulated device: pages of its own for each piece, which ends where a forbidden page begins.
class GuardedMemory {
 public:
  GuardedMemory() = default;
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory();

  /// Aligned to 256 bytes, full of 0xa5.
  std::byte* allocate(std::size_t bytes);
  void free(std::byte* memory);

  /// Whether it may be touched: by device work, not by the host.
  void open(bool touchable);

 private:
  struct Piece {
    std::byte* pages;
    std::size_t bytes;  ///< of all pages, the forbidden one included
  };
  std::map<std::byte*, Piece> pieces_;
};

}  // namespace emulated
