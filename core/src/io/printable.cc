#include "io/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace qfw {

Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const Character broken{.bytes = text.substr(0, 1)};
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {.bytes = text.substr(0, 1), .valid = true, .control = first < 0x20 || first == 0x7f};
  const std::size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < count) return broken;
  std::uint32_t code = first & (0x7fu >> count);
  for (std::size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return broken;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr std::uint32_t smallest[] = {0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (code < smallest[count - 2] || code > 0x10ffff || surrogate) return broken;
  return {.bytes = text.substr(0, count), .valid = true, .control = code < 0xa0};
}

std::string printable(std::string_view text, std::string_view kept) {
  std::string result;
  while (!text.empty()) {
    const Character next = first_character(text);
    text.remove_prefix(next.bytes.size());
    if (next.valid && (!next.control || kept.find(next.bytes) != std::string_view::npos)) {
      result += next.bytes;
    } else {
      for (const char byte : next.bytes) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
  }
  return result;
}

}  // namespace qfw
