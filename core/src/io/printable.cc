#include "io/printable.h"

#include <fmt/format.h>
#include <locale.h>

#include <cstdint>
#include <cwchar>

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

namespace {

/// While it lives, the calling thread has the C library's table of characters, which the program's own locale ("C") lacks.
class Unicode {
 public:
  Unicode() : before_(uselocale(table())) {}
  Unicode(const Unicode&) = delete;
  Unicode& operator=(const Unicode&) = delete;
  ~Unicode() { uselocale(before_); }

 private:
  static locale_t table() {
    static const locale_t known = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);  // none: nothing changes
    return known;
  }
  locale_t before_;
};

wchar_t code_of(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i])); };
  if (character.size() == 1) return static_cast<wchar_t>(byte(0));
  std::uint32_t code = byte(0) & (0x7fu >> character.size());
  for (std::size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte(i) & 0x3f);
  return static_cast<wchar_t>(code);
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  const Unicode characters;
  std::size_t columns = 0;
  while (!text.empty()) {
    const Character next = first_character(text);
    text.remove_prefix(next.bytes.size());
    const int width = next.bytes.size() == 1 ? 1 : wcwidth(code_of(next.bytes));
    columns +=
        width < 0
            ? 2
            : static_cast<std::size_t>(width);  // one that is not in the table: rather too narrow a line than one that wraps
  }
  return columns;
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
