#include "util/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

#include "io/printable.h"
#include "qfw/error.h"
#include "qfw/regular_file.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view utf8_mark = "\xef\xbb\xbf";

struct Encoding {
  const char* name;
  std::string_view mark;
  std::string_view pattern;  ///< of the first ASCII characters without a mark: x and NUL
};
using namespace std::string_view_literals;
constexpr std::array<Encoding, 4> wide_encodings = {{{"UTF-32", "\xff\xfe\0\0"sv, "x\0\0\0"sv},
                                                     {"UTF-32", "\0\0\xfe\xff"sv, "\0\0\0x"sv},
                                                     {"UTF-16", "\xff\xfe"sv, "x\0x\0"sv},
                                                     {"UTF-16", "\xfe\xff"sv, "\0x\0x"sv}}};

constexpr std::string_view no_text = "it is no text";

bool begins_as(std::string_view bytes, const Encoding& encoding) {
  if (bytes.starts_with(encoding.mark)) return true;
  if (bytes.size() < encoding.pattern.size()) return false;
  return std::equal(encoding.pattern.begin(), encoding.pattern.end(), bytes.begin(),
                    [](char wanted, char found) { return (wanted == '\0') == (found == '\0'); });
}

}  // namespace

std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("line {}, column {}", std::ranges::count(before, '\n') + 1, before.size() - begin + 1);
}

std::string in_utf8(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character next = first_character(text);
    text.remove_prefix(next.bytes.size());
    result += next.valid ? std::string(next.bytes) : fmt::format("\\x{:02x}", static_cast<unsigned char>(next.bytes.front()));
  }
  return result;
}

std::optional<int> number_after(std::string_view text, std::string_view word) {
  if (!text.starts_with(word)) return std::nullopt;
  text.remove_prefix(word.size());
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || rest != end) return std::nullopt;
  return number;
}

std::string encoding_fault(std::string_view bytes) {
  for (const Encoding& encoding : wide_encodings) {
    if (begins_as(bytes, encoding)) return fmt::format("it is stored as {}; save it as UTF-8", encoding.name);
  }
  if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos)
    return fmt::format("{}: there is a NUL byte in {}", no_text, line_and_column(bytes, nul));
  return {};
}

std::string plain_text(std::string text, const fs::path& file) {
  if (const std::string fault = encoding_fault(text); !fault.empty())
    fail(Error::Category::usage, "file", fault, file.string(), fault.starts_with(no_text) ? "name a file of text" : "");
  if (text.starts_with(utf8_mark)) text.erase(0, utf8_mark.size());
  return text;
}

std::string read_plain_text(const fs::path& file, std::size_t most) {
  std::string text;
  try {
    const RegularFile opened(file, "name a file that is there and may be read");
    if (opened.size() <= most) text = opened.text();
    if (std::max<std::uint64_t>(opened.size(), text.size()) > most) {
      fail(Error::Category::usage, "file", fmt::format("it has more than {} MiB, which no such file needs", most >> 20),
           file.string(), "name another file");
    }
  } catch (const Error& error) {
    throw Error(Error::Category::usage, error.what());
  }
  return plain_text(std::move(text), file);
}

std::string shown(std::string_view text, std::size_t most) {
  std::string result(text);
  if (text.size() > most) result = fmt::format("{}...{}", text.substr(0, most / 2), text.substr(text.size() - most / 2));
  std::ranges::replace_if(
      result, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return result;
}

}  // namespace qfw
