#include "scratch.h"

#include <cstdlib>
#include <new>

namespace qfw::cpu {

Scratch::~Scratch() { std::free(data_); }

void Scratch::reserve(std::size_t bytes) {
  constexpr std::size_t grain = 1 << 16;
  if (bytes <= size_) return;
  bytes = (bytes + grain - 1) / grain * grain;
  void* data = std::aligned_alloc(ScratchLayout::alignment, bytes);
  if (data == nullptr) throw std::bad_alloc();
  std::free(data_);
  data_ = static_cast<std::byte*>(data);
  size_ = bytes;
}

}  // namespace qfw::cpu
