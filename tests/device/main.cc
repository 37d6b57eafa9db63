#include "main.h"

#include <array>
#include <charconv>
#include <iostream>
#include <string_view>

#include "floats.h"

namespace device_check {
namespace {

constexpr std::string_view usage =
    "Checks a device's arithmetic, instructions and speed; a line for each thing that was found.\n"
    "  --device=WHICH    which one\n"
    "  --libraries=DIRS  folders, separated by colons, where NVIDIA's libraries are looked for first\n"
    "  --only=A,B        these checks alone: floats, operations, instructions, recording, overlap, copies, products\n"
    "  --plans           of a device that is only compiled for: ask cuDNN for its plans, too\n"
    "  --every=N         every Nth float only\n"
    "  --small, --whole  little data, or as much as a GPU is to be given\n"
    "  --hashes          print what a device is held against (tests/device/hashes.inc), computed here, for minutes\n";

bool is_count(std::string_view text, std::uint32_t& count) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc() && end == text.data() + text.size() && count > 0;
}

void print_hashes() {
  for (const auto& range : hashes_on_host(1)) {
    std::string line = "    {{";
    for (const std::uint64_t hash : range) {
      std::array<char, 17> digits{};
      const auto end = std::to_chars(digits.data(), digits.data() + 16, hash, 16).ptr;
      line += (line.back() == '{' ? "0x" : ", 0x") + std::string(digits.data(), end) + "u";
    }
    std::cout << line << "}},\n";
  }
}

}  // namespace

int run_program(std::span<const char* const> arguments,
                const std::function<std::unique_ptr<qfw::cuda::Device>(const Chosen& chosen)>& open, Effort effort) {
  Chosen chosen;
  std::string only;
  for (const char* const word : arguments) {
    const std::string_view argument = word, name = argument.substr(0, argument.find('='));
    const std::string_view value = name.size() < argument.size() ? argument.substr(name.size() + 1) : std::string_view{};
    if (name == "--device") {
      chosen.device = value;
    } else if (name == "--libraries") {
      chosen.libraries = value;
    } else if (argument == "--plans") {
      chosen.plans = true;
    } else if (name == "--only") {
      only = value;
    } else if (name == "--every" && is_count(value, effort.every)) {
      continue;
    } else if (argument == "--small" || argument == "--whole") {
      effort.whole = argument == "--whole";
    } else if (argument == "--hashes") {
      print_hashes();
      return 0;
    } else {
      const bool asked = argument == "--help";
      (asked ? std::cout : std::cerr) << (asked ? "" : "not understood: " + std::string(argument) + "\n") << usage;
      return asked ? 0 : 2;
    }
  }
  std::unique_ptr<qfw::cuda::Device> device;
  try {
    device = open(chosen);
  } catch (const std::exception& error) {
    std::cerr << "there is no device: " << error.what() << '\n';
    return 3;
  }
  std::cout << "device: " << device->properties().name << ", " << device->properties().versions << std::endl;
  Report report(std::cout);
  run_checks(*device, effort, only, report);
  return report.wrongs() == 0 ? 0 : 1;
}

}  // namespace device_check
