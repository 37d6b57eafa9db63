#include "code_pages.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>

#include "qfw/lowering/dump.h"

namespace qfw::cpu::x86 {
namespace {

/// A line for `perf report`, in the file where it looks for code that no library has.
void tell_perf(std::span<const std::byte> code, const std::string& name) {
  const std::string path = fmt::format("/tmp/perf-{}.map", getpid());
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) return;  // perf shows addresses then
  fmt::print(file, "{:x} {:x} {}\n", reinterpret_cast<std::uintptr_t>(code.data()), code.size(), name);
  std::fclose(file);
}

}  // namespace

CodePages::CodePages(std::span<const std::byte> code, const std::string& name) : code_size_(code.size()) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  size_ = (code.size() + page - 1) / page * page;
  void* pages = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "memory for compiled code");
  pages_ = static_cast<std::byte*>(pages);
  std::memcpy(pages_, code.data(), code.size());
  if (mprotect(pages_, size_, PROT_READ | PROT_EXEC) != 0) {
    const int error = errno;
    munmap(pages_, size_);
    throw std::system_error(error, std::generic_category(), "compiled code could not be made executable");
  }
  if (lowering::is_dumped("perf")) tell_perf(bytes(), name);
}

CodePages::~CodePages() { munmap(pages_, size_); }

}  // namespace qfw::cpu::x86
