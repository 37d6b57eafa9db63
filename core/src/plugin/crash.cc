#include "plugin/crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <link.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <span>

#include "plugin/called.h"

namespace qfw {

namespace {

/// An opened library. Never freed, as libraries are never closed; read by signal handlers.
struct Library {
  std::uintptr_t begin, end;
  std::string file;
  const Library* next;
};
std::atomic<const Library*> libraries = nullptr;

const char* file_at(std::uintptr_t address) {
  for (const Library* library = libraries.load(); library != nullptr; library = library->next) {
    if (address >= library->begin && address < library->end) return library->file.c_str();
  }
  return nullptr;
}

struct Signal {
  int number;
  const char* name;
  struct sigaction before;
};
Signal fatal[] = {
    {SIGSEGV, "SIGSEGV", {}}, {SIGBUS, "SIGBUS", {}}, {SIGFPE, "SIGFPE", {}}, {SIGILL, "SIGILL", {}}, {SIGABRT, "SIGABRT", {}}};

std::uintptr_t address_of(const void* context) {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<std::uintptr_t>(machine.pc);
#else
  (void)machine;
  return 0;
#endif
}

/// Only what a signal handler may do.
void say(std::initializer_list<const char*> parts) {
  char line[1024];
  std::size_t length = 0;
  for (const char* part : parts) {
    const std::size_t size = std::min(std::strlen(part), sizeof line - length);
    std::memcpy(line + length, part, size);
    length += size;
  }
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line, length);
}

extern "C" void on_crash(int number, siginfo_t* info, void* context) {
  for (Signal& signal : fatal) {
    if (signal.number != number) continue;
    const char* file = file_at(address_of(context));
    const char* called = plugin_in_call;
    if (file != nullptr) {
      say({"\nqfw: crashed: ", signal.name, " in the plugin library ", file, "; files written before are whole\n"});
    } else if (called != nullptr) {
      say({"\nqfw: crashed: ", signal.name, " while this plugin was called: ", called, "; files written before are whole\n"});
    }
    ::sigaction(number, &signal.before, nullptr);
    if (info->si_code <= 0) ::raise(number);  // sent, by abort() for one; a fault happens again by itself
  }
}

/// The library of the innermost frame that lies in one: of a thread that the plugin made itself.
const char* file_on_stack() {
  void* frames[64];
  const int count = ::backtrace(frames, 64);
  for (void* frame : std::span(frames, static_cast<std::size_t>(count))) {
    if (const char* file = file_at(reinterpret_cast<std::uintptr_t>(frame))) return file;
  }
  return nullptr;
}

std::terminate_handler terminate_before = nullptr;

[[noreturn]] void on_terminate() {
  const char* who = plugin_in_call != nullptr ? plugin_in_call : file_on_stack();
  if (who == nullptr) {
    terminate_before();
    std::abort();
  }
  const std::string what = std::current_exception() ? "threw " + thrown_text() : "called std::terminate()";
  std::fflush(stdout);
  fmt::print(
      stderr,
      "qfw: error: [plugin] {} {} where nothing can catch it: in a destructor, a noexcept function or a thread of its own; "
      "files written before are whole\n",
      who, what);
  std::_Exit(1);
}

}  // namespace

void report_crashes_of_plugins() {
  static char stack[1 << 16];  // for a plugin that recurses without end
  const stack_t other{.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
  ::sigaltstack(&other, nullptr);
  for (Signal& signal : fatal) {
    struct sigaction action {};
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigaction(signal.number, &action, &signal.before);
  }
  terminate_before = std::set_terminate(on_terminate);
}

void remember_library(void* handle, const std::string& file) {
  const link_map* map = nullptr;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return;
  Library found{.begin = UINTPTR_MAX, .end = 0, .file = file, .next = nullptr};
  struct Search {
    Library& found;
    const link_map& map;
  } search{found, *map};
  const auto visit = [](dl_phdr_info* info, std::size_t, void* data) {
    const Search& search = *static_cast<const Search*>(data);
    if (info->dlpi_addr != search.map.l_addr) return 0;
    for (const ElfW(Phdr) & part : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
      if (part.p_type != PT_LOAD) continue;
      search.found.begin = std::min<std::uintptr_t>(search.found.begin, info->dlpi_addr + part.p_vaddr);
      search.found.end = std::max<std::uintptr_t>(search.found.end, info->dlpi_addr + part.p_vaddr + part.p_memsz);
    }
    return 1;
  };
  ::dl_iterate_phdr(visit, &search);
  found.next = libraries.load();
  const auto* kept = new Library(std::move(found));
  libraries.store(kept);
}

}  // namespace qfw
