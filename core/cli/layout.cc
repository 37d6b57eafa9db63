#include "layout.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "io/printable.h"

namespace qfw {
namespace {

/// A word and the blanks before it are taken from the front of `line`.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

std::size_t output_width() {
  constexpr std::size_t without_terminal = 100, narrowest = 40;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return without_terminal;
  return std::max<std::size_t>(size.ws_col, narrowest);
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  const std::string blanks(indent, ' ');
  std::string result;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::string current;
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
      if (!current.empty() && indent + columns_of(current) + 1 + columns_of(word) > width) {
        result += blanks + current + "\n";
        current.clear();
      }
      current += (current.empty() ? "" : " ") + std::string(word);
    }
    result += blanks + current + "\n";
  }
  return result;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (columns_of(text) <= width) return std::string(text);
  constexpr std::string_view dots = "...";
  std::string kept;
  for (std::size_t left = width > dots.size() ? width - dots.size() : 0;;) {
    const std::string_view next = first_character(text).bytes;
    if (columns_of(next) > left) break;
    left -= columns_of(next);
    kept += next;
    text.remove_prefix(next.size());
  }
  return kept + std::string(dots.substr(0, std::min(width, dots.size())));
}

}  // namespace qfw
