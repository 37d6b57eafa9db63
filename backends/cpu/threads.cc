#include "threads.h"

#include <fmt/format.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace qfw::cpu {
namespace {

// Control register of the floating point unit.
#if defined(__x86_64__)
constexpr unsigned long flush = 0x8040;  // FTZ, DAZ
unsigned long control() { return _mm_getcsr(); }
void set_control(unsigned long value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr unsigned long flush = 1ul << 24;  // FZ
unsigned long control() {
  unsigned long value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_control(unsigned long value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
#error "denormals: say how to flush them on this processor"
#endif

}  // namespace

int default_threads() {
  if (const char* asked = std::getenv("OMP_NUM_THREADS"); asked != nullptr && *asked != '\0') return omp_get_max_threads();
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return omp_get_num_procs();
  std::set<std::string> cores;  // by the list of their hardware threads
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
    cores.insert(siblings);
  }
  return std::max<int>(1, static_cast<int>(cores.size()));
}

ThreadScope::ThreadScope(int threads)
    : threads_before_(omp_get_max_threads()), dynamic_before_(omp_get_dynamic()), control_before_(control()) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
#pragma omp parallel num_threads(threads)
  set_control(control() | flush);
}

ThreadScope::~ThreadScope() {
  set_control(control_before_);
  omp_set_num_threads(threads_before_);
  omp_set_dynamic(dynamic_before_);
}

}  // namespace qfw::cpu
