#include "threads.h"

#include <omp.h>

#include <cstdlib>

#include "qfw/processors.h"

namespace qfw::cpu {

DefaultThreads default_threads() {
  if (const char* asked = std::getenv("OMP_NUM_THREADS"); asked != nullptr && *asked != '\0')
    return {omp_get_max_threads(), "OMP_NUM_THREADS"};
  const Processors processors = usable_processors();
  return {processors.threads(), processors.limits()};
}

ThreadScope::ThreadScope(int threads) : threads_before_(omp_get_max_threads()), dynamic_before_(omp_get_dynamic()) {
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
#pragma omp parallel num_threads(threads)
  FlushDenormals::on_this_thread();
}

ThreadScope::~ThreadScope() {
  omp_set_num_threads(threads_before_);
  omp_set_dynamic(dynamic_before_);
}

}  // namespace qfw::cpu
