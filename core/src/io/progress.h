#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/terminal.h"
#include "util/ticker.h"

namespace qfw {

/// Progress of a training or evaluation: one redrawn line on a terminal, else a plain line every `seconds` at most. On a
/// terminal it stays alive between two updates: where they are seconds apart, it says how long the step at hand has taken.
/// Thread-safe; never throws.
class Progress {
 public:
  struct Figures {
    std::int64_t step = 0, total_steps = 0;  ///< completed, of so many
    std::optional<double> epoch;             ///< completed, with its fraction
    std::optional<std::int64_t> epochs;
    std::optional<double> images_per_second, loss, accuracy, rate;
    std::int64_t corrupt = 0;            ///< examples skipped; shown if there are any
    std::optional<double> seconds_left;  ///< estimated from `step` and the time so far if empty
  };
  using Time = std::chrono::steady_clock::time_point;

  explicit Progress(std::string label, Terminal& terminal = Terminal::standard_error(), double seconds = 10);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void begin(const Figures& figures) noexcept;   ///< the clock starts; a plain line would say nothing yet
  void update(const Figures& figures) noexcept;  ///< as often as one likes; draws at most ten times a second
  void finish(const Figures& figures) noexcept;  ///< shows the last figures as a line that stays

  void tick(Time now) noexcept;  ///< what happens once a second on a terminal

 private:
  /// What is shown of one kind, padded to what it took before, so that nothing after it moves.
  struct Field {
    std::string text;
    std::size_t columns = 0;
  };
  enum Kind { time_left, done, this_step, loss, accuracy, speed, corrupt, rate, steps, kinds };

  void note(const Figures& figures, Time now);
  std::optional<double> seconds_left(const Figures& figures, Time now) const;
  std::string text(const Figures& figures, Time now) const;
  void put(Kind kind, std::string text);
  void show(Time now);

  std::string label_;
  Terminal& terminal_;
  double seconds_;
  std::mutex mutex_;
  Terminal::Status status_;
  Figures figures_;
  Field fields_[kinds];
  std::optional<std::int64_t> first_step_;
  Time first_time_{}, updated_{}, drawn_{};
  bool shown_ = false, long_steps_ = false, finished_ = false;
  std::optional<Ticker> ticker_;  // the last member: it ends before what it uses
};

/// Says on a terminal what is going on, and for how long, from one second after it was made until it ends. For what is done
/// within seconds as a rule, and can take minutes.
class Activity {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Activity(std::string what, Terminal& terminal = Terminal::standard_error());
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  void tick(Time now) noexcept;  ///< what happens once a second on a terminal

 private:
  std::string what_;
  Time began_;
  Terminal::Status status_;
  std::optional<Ticker> ticker_;  // the last member: it ends before what it uses
};

/// "1:02:03", "4:05"
std::string duration_text(double seconds);

}  // namespace qfw
