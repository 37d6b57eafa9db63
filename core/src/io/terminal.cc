#include "io/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "io/printable.h"

namespace qfw {

Terminal::Terminal(int descriptor) : descriptor_(descriptor) {
  const char* kind = std::getenv("TERM");
  interactive_ = isatty(descriptor) == 1 && !(kind && std::strcmp(kind, "dumb") == 0);
}

Terminal::~Terminal() { clear_status(); }

Terminal& Terminal::standard_error() {
  static auto* instance = new Terminal(STDERR_FILENO);  // never destroyed: logs may be written until the very end
  return *instance;
}

void Terminal::write(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t wrote = ::write(descriptor_, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;  // nobody is left to tell
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

int Terminal::columns() const noexcept {
  winsize size{};
  return ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void Terminal::line(std::string_view text) noexcept try {
  const std::lock_guard lock(mutex_);
  std::string output = drawn_ ? "\r\033[K" : "";
  output.append(printable(text, line_breaks)).append("\n");
  if (drawn_) output += status_;
  write(output);
} catch (...) {
}

void Terminal::status(std::string_view text) noexcept try {
  if (!interactive_) return;
  const std::lock_guard lock(mutex_);
  status_ = printable(text).substr(0, static_cast<std::size_t>(std::max(columns() - 1, 1)));  // a full line would wrap
  drawn_ = true;
  write("\r" + status_ + "\033[K");
} catch (...) {
}

void Terminal::clear_status() noexcept try {
  const std::lock_guard lock(mutex_);
  if (drawn_) write("\r\033[K");
  drawn_ = false;
} catch (...) {
}

}  // namespace qfw
