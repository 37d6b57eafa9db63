#include "io/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "io/printable.h"

namespace qfw {

namespace {

constexpr std::string_view clear = "\r\033[K";

std::atomic<bool> error_is_terminal = false, error_left = false;  // of standard error; read by signal handlers
static_assert(std::atomic<bool>::is_always_lock_free);

std::string first_columns(std::string_view text, std::size_t columns) {
  std::string result;
  for (std::size_t left = columns; !text.empty();) {
    const Character next = first_character(text);
    const std::size_t wide = columns_of(next.bytes);
    if (wide > left) break;
    left -= wide;
    result += next.bytes;
    text.remove_prefix(next.bytes.size());
  }
  return result;
}

}  // namespace

std::string fit_fields(const std::vector<std::string>& fields, std::size_t columns) {
  std::string line;
  std::size_t left = columns;
  for (const std::string& field : fields) {
    const std::size_t wanted = columns_of(field) + (line.empty() ? 0 : 2);
    if (wanted > left) return line.empty() ? first_columns(field, columns) : line;
    line += (line.empty() ? "" : "  ") + field;
    left -= wanted;
  }
  return line;
}

Terminal::Terminal(int descriptor) : descriptor_(descriptor) {
  const char* kind = std::getenv("TERM");
  interactive_ = isatty(descriptor) == 1 && !(kind && std::strcmp(kind, "dumb") == 0);
}

Terminal::~Terminal() {
  if (drawn_) write(clear);
}

Terminal& Terminal::standard_error() {
  static auto* instance = [] {  // never destroyed: logs may be written until the very end
    auto* made = new Terminal(STDERR_FILENO);
    error_is_terminal = made->interactive();
    return made;
  }();
  return *instance;
}

void Terminal::leave_clean() noexcept {
  error_left = true;
  if (error_is_terminal) static_cast<void>(!::write(STDERR_FILENO, clear.data(), clear.size()));
}

void Terminal::write(std::string_view text) const noexcept {
  while (!text.empty() && !(error_left && descriptor_ == STDERR_FILENO)) {
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

const Terminal::Status* Terminal::seen() const {
  const auto found = std::find_if(claims_.rbegin(), claims_.rend(), [](const Status* each) { return !each->fields_.empty(); });
  return found == claims_.rend() ? nullptr : *found;
}

/// Empty if there is nothing to show. A full line would wrap.
std::string Terminal::status_text() const {
  const Status* status = seen();
  return status == nullptr ? std::string() : fit_fields(status->fields_, static_cast<std::size_t>(std::max(columns() - 1, 1)));
}

void Terminal::draw() noexcept try {
  const std::string text = status_text();
  if (text.empty()) {
    if (std::exchange(drawn_, false)) write(clear);
    return;
  }
  drawn_ = true;
  write("\r" + text + "\033[K");
} catch (...) {
}

void Terminal::line(std::string_view text) noexcept try {
  const std::lock_guard lock(mutex_);
  std::string output(interactive_ ? clear : "");  // of the status, or of a ^C that is shown after its signal was handled
  output.append(printable(text, line_breaks)).append("\n");
  if (drawn_) output += status_text();
  write(output);
} catch (...) {
}

void Terminal::clear_typed() noexcept try {
  if (!interactive_) return;
  const std::lock_guard lock(mutex_);
  write(std::string(clear) + (drawn_ ? status_text() : ""));
} catch (...) {
}

Terminal::Status::Status(Terminal& terminal) : terminal_(terminal) {
  const std::lock_guard lock(terminal_.mutex_);
  terminal_.claims_.push_back(this);
}

Terminal::Status::~Status() {
  const std::lock_guard lock(terminal_.mutex_);
  const bool was_seen = terminal_.seen() == this;
  std::erase(terminal_.claims_, this);
  if (was_seen) terminal_.draw();
}

void Terminal::Status::show(std::vector<std::string> fields) noexcept try {
  if (!terminal_.interactive_) return;
  for (std::string& field : fields) field = printable(field);
  const std::lock_guard lock(terminal_.mutex_);
  const Status* before = terminal_.seen();
  fields_ = std::move(fields);
  if (terminal_.seen() == this || before == this) terminal_.draw();
} catch (...) {
}

bool Terminal::Status::is_covered() const noexcept {
  const std::lock_guard lock(terminal_.mutex_);
  for (auto claim = terminal_.claims_.rbegin(); claim != terminal_.claims_.rend() && *claim != this; ++claim) {
    if (!(*claim)->fields_.empty()) return true;
  }
  return false;
}

}  // namespace qfw
