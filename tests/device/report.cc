#include "report.h"

#include <fmt/format.h>

#include <bit>
#include <ostream>

namespace device_check {

void Report::say(std::string_view name, std::string_view what) {
  out_ << name << ": " << what << std::endl;  // whoever stops the program has seen it
}

void Report::ok(std::string_view name, std::string_view note) { say(name, note.empty() ? "ok" : fmt::format("ok, {}", note)); }

void Report::wrong(std::string_view name, std::string_view found, std::string_view expected) {
  ++wrongs_;
  say(name, fmt::format("WRONG {}, expected {}", found, expected));
}

void Report::number(std::string_view name, double value, std::string_view unit) {
  say(name, fmt::format("{:.4g} {}", value, unit));
}

void Report::left_out(std::string_view name, std::string_view why) { say(name, fmt::format("left out, {}", why)); }

std::string hex(std::uint32_t bits) { return fmt::format("0x{:08x}", bits); }

std::string text_of(float value) { return fmt::format("{:.9g} ({})", value, hex(std::bit_cast<std::uint32_t>(value))); }

}  // namespace device_check
