#pragma once

#include <dlfcn.h>

#include <string>

namespace fake {

/// What the made-up driver in that folder answers to a question: fake_is_recording, fake_has_context (driver.cc). By its path:
/// a test may have others of its name open.
inline bool driver_says(const std::string& folder, const char* question) {
  void* driver = ::dlopen((folder + "/libcuda.so.1").c_str(), RTLD_LAZY | RTLD_NOLOAD);
  auto* const ask = driver == nullptr ? nullptr : reinterpret_cast<bool (*)()>(::dlsym(driver, question));
  return ask != nullptr && ask();
}

}  // namespace fake
