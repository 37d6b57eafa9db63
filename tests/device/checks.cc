#include "checks.h"

#include <array>
#include <exception>

namespace device_check {
namespace {

constexpr std::array all{
    Check{"floats", check_floats},       Check{"operations", check_operations}, Check{"instructions", check_instructions},
    Check{"recording", check_recording}, Check{"overlap", check_overlap},       Check{"copies", check_copies},
    Check{"products", check_products},
};

bool is_in(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == name) return true;
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return false;
}

}  // namespace

std::span<const Check> checks() { return all; }

void run_checks(qfw::cuda::Device& device, const Effort& effort, std::string_view only, Report& report) {
  for (const Check& check : all) {
    if (!only.empty() && !is_in(only, check.name)) continue;
    try {
      check.run(device, effort, report);
    } catch (const std::exception& error) {
      report.wrong(check.name, error.what(), "no error");
    }
  }
}

}  // namespace device_check
