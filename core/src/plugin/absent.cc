#include "plugin/absent.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "util/nearest.h"

namespace qfw {
namespace {

enum class Device { nvidia, other_gpu, tpu, onednn };

struct Word {
  std::string_view name;
  Device device;
};

constexpr std::array words = {
    Word{"cuda", Device::nvidia},      Word{"gpu", Device::nvidia},       Word{"nvidia", Device::nvidia},
    Word{"cudnn", Device::nvidia},     Word{"tensorrt", Device::nvidia},  Word{"rocm", Device::other_gpu},
    Word{"hip", Device::other_gpu},    Word{"metal", Device::other_gpu},  Word{"mps", Device::other_gpu},
    Word{"opencl", Device::other_gpu}, Word{"vulkan", Device::other_gpu}, Word{"sycl", Device::other_gpu},
    Word{"tpu", Device::tpu},          Word{"xla", Device::tpu},          Word{"onednn", Device::onednn},
    Word{"mkldnn", Device::onednn},    Word{"dnnl", Device::onednn},      Word{"mkl", Device::onednn}};

/// Of a word with a number of the device behind it, too: `cuda:0`.
const Word* meant_by(std::string_view name) {
  name = name.substr(0, name.find(':'));
  const auto word = std::ranges::find_if(words, [&](const Word& each) { return same_name(each.name, name); });
  return word == words.end() ? nullptr : &*word;
}

bool has_nvidia_driver() {
  void* const driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return false;
  dlclose(driver);
  return true;
}

std::string what_is_missing(Device device) {
  switch (device) {
    case Device::nvidia:
      return fmt::format("qfw has no backend for GPUs yet; an NVIDIA driver (libcuda.so.1) was {} on this machine",
                         has_nvidia_driver() ? "found" : "not found");
    case Device::other_gpu:
      return "qfw has no backend for GPUs yet";
    case Device::tpu:
      return "qfw has no backend for TPUs or XLA";
    case Device::onednn:
      return "oneDNN is what the backend cpu computes with";
  }
  return {};
}

}  // namespace

std::string about_absent_backend(std::string_view name, std::span<const std::string> known) {
  const Word* word = meant_by(name);
  if (word == nullptr) return {};
  for (const std::string& each : known) {
    const Word* other = meant_by(each);  // one from outside, perhaps
    if (other != nullptr && other->device == word->device) return {};
  }
  const bool has_cpu = std::ranges::find(known, "cpu") != known.end();
  if (word->device == Device::onednn && !has_cpu) return {};
  const std::string backends = known.empty() ? "none" : fmt::to_string(fmt::join(known, ", "));
  return fmt::format("{}; backends are: {}{}", what_is_missing(word->device), backends, has_cpu ? "; use cpu" : "");
}

}  // namespace qfw
