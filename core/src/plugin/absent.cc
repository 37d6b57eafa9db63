#include "plugin/absent.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "util/nearest.h"

namespace qfw {
namespace {

/// What computes, and what is on a machine that has it.
struct Device {
  std::string_view kind;             ///< empty: the processor
  std::string_view driver, library;  ///< empty: there is nothing to look for
};

constexpr Device nvidia{"NVIDIA GPUs", "an NVIDIA driver", "libcuda.so.1"};
constexpr Device amd{"AMD GPUs", "an AMD driver", "libhsa-runtime64.so.1"};
constexpr Device opencl{"GPUs through OpenCL", "an OpenCL loader", "libOpenCL.so.1"};
constexpr Device vulkan{"GPUs through Vulkan", "a Vulkan loader", "libvulkan.so.1"};
constexpr Device intel{"Intel GPUs", "an Intel driver", "libze_loader.so.1"};
constexpr Device apple{"Apple GPUs", "", ""};
constexpr Device tpu{"TPUs", "", ""};
constexpr Device processor{};

struct Word {
  std::string_view name;
  const Device* device;
};

constexpr std::array words = {Word{"cuda", &nvidia},      Word{"gpu", &nvidia},      Word{"nvidia", &nvidia},
                              Word{"cudnn", &nvidia},     Word{"tensorrt", &nvidia}, Word{"rocm", &amd},
                              Word{"hip", &amd},          Word{"metal", &apple},     Word{"mps", &apple},
                              Word{"opencl", &opencl},    Word{"vulkan", &vulkan},   Word{"sycl", &intel},
                              Word{"tpu", &tpu},          Word{"xla", &tpu},         Word{"onednn", &processor},
                              Word{"mkldnn", &processor}, Word{"dnnl", &processor},  Word{"mkl", &processor}};

/// Of a word with a number of the device behind it, too: `cuda:0`.
const Word* meant_by(std::string_view name) {
  name = name.substr(0, name.find(':'));
  const auto word = std::ranges::find_if(words, [&](const Word& each) { return same_name(each.name, name); });
  return word == words.end() ? nullptr : &*word;
}

bool is_there(std::string_view library) {
  void* const opened = dlopen(std::string(library).c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (opened == nullptr) return false;
  dlclose(opened);
  return true;
}

std::string what_is_missing(const Device& device) {
  if (device.kind.empty()) return "oneDNN is what the backend cpu computes with";
  const std::string missing = fmt::format("there is no backend for {}", device.kind);
  if (device.library.empty()) return missing;
  return fmt::format("{}; {} ({}) was {} on this machine", missing, device.driver, device.library,
                     is_there(device.library) ? "found" : "not found");
}

}  // namespace

std::string about_absent_backend(std::string_view name, std::span<const std::string> known) {
  const Word* word = meant_by(name);
  if (word == nullptr) return {};
  for (const std::string& each : known) {
    const Word* other = word->device->kind.empty() ? nullptr : meant_by(each);
    if (other == nullptr || other->device != word->device) continue;
    return fmt::format("the backend for {} is {}; `qfw describe backend {}` shows how to choose one of several",
                       word->device->kind, each, each);
  }
  const bool has_cpu = std::ranges::find(known, "cpu") != known.end();
  if (word->device == &processor && !has_cpu) return {};
  const std::string backends = known.empty() ? "none" : fmt::to_string(fmt::join(known, ", "));
  return fmt::format("{}; backends are: {}{}", what_is_missing(*word->device), backends, has_cpu ? "; use cpu" : "");
}

}  // namespace qfw
