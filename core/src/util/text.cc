#include "util/text.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "qfw/error.h"

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

bool begins_as(std::string_view bytes, const Encoding& encoding) {
  if (bytes.starts_with(encoding.mark)) return true;
  if (bytes.size() < encoding.pattern.size()) return false;
  return std::equal(encoding.pattern.begin(), encoding.pattern.end(), bytes.begin(),
                    [](char wanted, char found) { return (wanted == '\0') == (found == '\0'); });
}

std::string read_regular(const fs::path& file, std::size_t most) {
  const auto refuse = [&](const std::string& what, std::string_view remedy = "check that it is there and may be read") {
    fail(Error::Category::usage, "file", what, file.string(), remedy);
  };
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not keep us waiting
  if (descriptor < 0) refuse(fmt::format("cannot read the file: {}", std::strerror(errno)));
  const struct Closing {
    int descriptor;
    ~Closing() { close(descriptor); }
  } closing{descriptor};
  struct stat status {};
  if (fstat(descriptor, &status) != 0) refuse(fmt::format("cannot read the file: {}", std::strerror(errno)));
  if (S_ISDIR(status.st_mode)) refuse("it is a folder, not a file", "name a file in it");
  if (!S_ISREG(status.st_mode)) refuse("it is a pipe or a device, not a file", "save what it gives to a file, and name that");
  std::string text;
  std::array<char, 1 << 16> block;
  for (;;) {
    const ssize_t got = read(descriptor, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(fmt::format("cannot read the file: {}", std::strerror(errno)));
    if (got == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(got));
    if (text.size() > most)
      refuse(fmt::format("it has more than {} MiB, which no such file needs", most >> 20), "name another file");
  }
}

}  // namespace

std::string line_and_column(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("line {}, column {}", std::ranges::count(before, '\n') + 1, before.size() - begin + 1);
}

std::string encoding_fault(std::string_view bytes) {
  for (const Encoding& encoding : wide_encodings) {
    if (begins_as(bytes, encoding)) return fmt::format("it is stored as {}; save it as UTF-8", encoding.name);
  }
  if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos)
    return fmt::format("it is no text: there is a NUL byte in {}", line_and_column(bytes, nul));
  return {};
}

std::string read_plain_text(const fs::path& file, std::size_t most) {
  std::string text = read_regular(file, most);
  if (const std::string fault = encoding_fault(text); !fault.empty())
    fail(Error::Category::usage, "file", fault, file.string());
  if (text.starts_with(utf8_mark)) text.erase(0, utf8_mark.size());
  return text;
}

std::string shown(std::string_view text, std::size_t most) {
  std::string result(text);
  if (text.size() > most) result = fmt::format("{}...{}", text.substr(0, most / 2), text.substr(text.size() - most / 2));
  std::ranges::replace_if(
      result, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return result;
}

}  // namespace qfw
