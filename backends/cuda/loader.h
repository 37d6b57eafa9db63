#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "device.h"

namespace qfw::cuda {

/// The code of one device: kernels ask for functions while a step is compiled, and all are compiled together before it runs.
class Loader {
 public:
  explicit Loader(Device& device) : device_(device) {}

  /// Filled by load().
  using Handle = std::shared_ptr<const std::shared_ptr<Function>>;
  /// The same function for the same name; a name stands for one text (KernelSource): with two it throws Category::internal.
  Handle ask(KernelSource source);
  /// Compiles what was asked for since, but for that whose handles are all gone. QFW_DUMP=code tells of each kernel.
  void load();

  Device& device() const { return device_; }

 private:
  struct Entry {
    std::string text, about;
    std::shared_ptr<std::shared_ptr<Function>> function;
  };

  Device& device_;
  std::map<std::string, Entry> entries_;
  std::vector<std::string> asked_;  ///< and not loaded
};

}  // namespace qfw::cuda
