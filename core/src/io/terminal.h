#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace qfw {

/// A stream for people, shared by the log and the progress line: lines scroll above one status line, which is redrawn in place
/// on a terminal and absent elsewhere. What is shown is made printable. Thread-safe; never throws.
class Terminal {
 public:
  explicit Terminal(int descriptor);
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal();  ///< removes the status line

  static Terminal& standard_error();

  bool interactive() const { return interactive_; }
  void line(std::string_view text) noexcept;  ///< a whole line, without its newline

  /// A claim to the status line. Of those that show something the newest is seen; when it ends, the one before.
  class Status {
   public:
    explicit Status(Terminal& terminal);
    Status(const Status&) = delete;
    Status& operator=(const Status&) = delete;
    ~Status();

    /// The most important first: whole fields are left out from the end where the line is too narrow, at its width of the
    /// moment. Nothing without a terminal.
    void show(std::vector<std::string> fields) noexcept;
    bool is_covered() const noexcept;  ///< a newer one shows something

   private:
    friend class Terminal;
    Terminal& terminal_;
    std::vector<std::string> fields_;
  };

  /// What was typed (the ^C that the terminal shows of it) no longer stands on the line.
  void clear_typed() noexcept;

  /// For a signal handler that ends the process: nothing is left of the status line of standard error, and none is drawn again.
  static void leave_clean() noexcept;

 private:
  const Status* seen() const;
  std::string status_text() const;
  void draw() noexcept;
  void write(std::string_view text) const noexcept;
  int columns() const noexcept;

  mutable std::mutex mutex_;
  int descriptor_;
  bool interactive_;
  bool drawn_ = false;
  std::vector<const Status*> claims_;  ///< the newest last
};

/// As many of the fields, two spaces between them, as fit in so many columns; the first one cut if it alone does not.
std::string fit_fields(const std::vector<std::string>& fields, std::size_t columns);

}  // namespace qfw
