#pragma once

#include <mutex>
#include <string>
#include <string_view>

namespace qfw {

/// A stream for people, shared by the log and the progress line: lines scroll above one status line, which is redrawn in place
/// on a terminal and absent elsewhere. What is shown is made printable. Thread-safe; never throws.
class Terminal {
 public:
  explicit Terminal(int descriptor);
  ~Terminal();  ///< removes the status line

  static Terminal& standard_error();

  bool interactive() const { return interactive_; }
  void line(std::string_view text) noexcept;    ///< a whole line, without its newline
  void status(std::string_view text) noexcept;  ///< cut to the terminal's width; nothing without a terminal
  void clear_status() noexcept;

 private:
  void write(std::string_view text) noexcept;
  int columns() const noexcept;

  std::mutex mutex_;
  int descriptor_;
  bool interactive_;
  bool drawn_ = false;
  std::string status_;
};

}  // namespace qfw
