#include "guarded_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <stdexcept>

namespace emulated {
namespace {

constexpr std::size_t alignment = 256;

std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::size_t rounded(std::size_t bytes, std::size_t to) { return (bytes + to - 1) / to * to; }

void protect(std::byte* pages, std::size_t bytes, int how) {
  if (mprotect(pages, bytes, how) != 0) throw std::runtime_error("emulated device: mprotect failed");
}

}  // namespace

GuardedMemory::~GuardedMemory() {
  for (const auto& [memory, piece] : pieces_) munmap(piece.pages, piece.bytes);
}

std::byte* GuardedMemory::allocate(std::size_t bytes) {
  const std::size_t size = rounded(bytes == 0 ? 1 : bytes, alignment), all = rounded(size, page()) + page();
  void* pages = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  auto* const first = static_cast<std::byte*>(pages);
  std::byte* const memory = first + all - page() - size;
  std::memset(first, 0xa5, all - page());
  protect(first, all, PROT_NONE);
  pieces_[memory] = {first, all};
  return memory;
}

void GuardedMemory::free(std::byte* memory) {
  const auto at = pieces_.find(memory);
  if (at == pieces_.end()) throw std::runtime_error("emulated device: freed what was never allocated");
  munmap(at->second.pages, at->second.bytes);
  pieces_.erase(at);
}

void GuardedMemory::open(bool touchable) {
  for (const auto& [memory, piece] : pieces_) {
    protect(piece.pages, piece.bytes - page(), touchable ? PROT_READ | PROT_WRITE : PROT_NONE);
  }
}

}  // namespace emulated
