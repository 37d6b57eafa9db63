#include "pages.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "qfw/error.h"

namespace qfw::cpu {
namespace {

constexpr std::size_t huge = std::size_t{2} << 20;

}  // namespace

Pages::Pages(std::size_t bytes) {
  if (bytes == 0) return;
  const std::size_t whole = bytes < huge ? (bytes + 4095) / 4096 * 4096 : (bytes + huge - 1) / huge * huge;
  // Huge pages need addresses of their own alignment: map one more and give back what sticks out.
  const std::size_t slack = bytes < huge ? 0 : huge;
  void* mapped = mmap(nullptr, whole + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) {
    fail(Error::Category::device, "cpu",
         fmt::format("asked the system for {} MB, found: {}", whole >> 20, std::strerror(errno)), {},
         "use a smaller batch, or bf16");
  }
  auto* first = static_cast<std::byte*>(mapped);
  if (slack != 0) {
    const auto address = reinterpret_cast<std::uintptr_t>(first);
    const std::size_t before = (huge - address % huge) % huge;
    if (before != 0) munmap(first, before);
    if (before != slack) munmap(first + before + whole, slack - before);
    first += before;
    madvise(first, whole, MADV_HUGEPAGE);  // a wish: refused, the memory is as good
  }
  data_ = first;
  bytes_ = whole;
}

Pages::Pages(Pages&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Pages& Pages::operator=(Pages&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Pages::~Pages() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace qfw::cpu
