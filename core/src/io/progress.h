#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/terminal.h"

namespace qfw {

/// Progress of a training or evaluation: one redrawn line on a terminal, else a plain line every `seconds` at most. Never
/// throws.
class Progress {
 public:
  struct Figures {
    std::int64_t step = 0, total_steps = 0;  ///< completed, of so many
    std::optional<double> epoch;             ///< completed, with its fraction
    std::optional<std::int64_t> epochs;
    std::optional<double> images_per_second, loss, accuracy, rate;
    std::int64_t corrupt = 0;  ///< examples skipped; shown if there are any
    std::optional<double> seconds_left;  ///< estimated from `step` and the time so far if empty
  };

  explicit Progress(std::string label, Terminal& terminal = Terminal::standard_error(), double seconds = 10);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void update(const Figures& figures) noexcept;  ///< as often as one likes; draws at most ten times a second
  void report(std::string_view line) noexcept;   ///< always shown, above the progress line: an evaluation's result
  void finish(const Figures& figures) noexcept;  ///< shows the last figures as a line that stays

 private:
  using Time = std::chrono::steady_clock::time_point;
  std::string text(const Figures& figures, Time now) const;

  std::string label_;
  Terminal& terminal_;
  double seconds_;
  Time last_{};
  bool shown_ = false;
  std::optional<std::int64_t> first_step_;
  Time first_time_{};
};

/// "1:02:03", "4:05"
std::string duration_text(double seconds);

}  // namespace qfw
