#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace qfw::cpu::x86 {

/// Machine code in pages of its own: written first, then executable and never writable again. Throws std::system_error where
/// the system does not allow that.
class CodePages {
 public:
  /// `code` runs wherever it lies; `name` is told to perf, if wanted (QFW_DUMP=perf).
  CodePages(std::span<const std::byte> code, const std::string& name);
  CodePages(const CodePages&) = delete;
  CodePages& operator=(const CodePages&) = delete;
  ~CodePages();

  std::span<const std::byte> bytes() const { return {pages_, code_size_}; }
  template <class Function>
  Function at(std::size_t offset) const {
    return reinterpret_cast<Function>(const_cast<std::byte*>(pages_ + offset));
  }

 private:
  std::byte* pages_ = nullptr;
  std::size_t size_ = 0, code_size_ = 0;
};

}  // namespace qfw::cpu::x86
