#include "io/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/log.h"
#include "io/printable.h"

namespace qfw {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto tick_period = std::chrono::seconds(1);
constexpr double long_step = 2;  // seconds

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  const auto all = static_cast<long long>(std::llround(seconds));
  const long long hours = all / 3600, minutes = all / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, all % 60) : fmt::format("{}:{:02}", minutes, all % 60);
}

Progress::Progress(std::string label, Terminal& terminal, double seconds)
    : label_(std::move(label)), terminal_(terminal), seconds_(seconds), status_(terminal) {
  if (terminal.interactive()) ticker_.emplace(tick_period, [this] { tick(Clock::now()); });
}

std::optional<double> Progress::seconds_left(const Figures& figures, Time now) const {
  if (figures.seconds_left || !first_step_ || figures.step <= *first_step_ || figures.total_steps <= 0)
    return figures.seconds_left;
  const auto made = static_cast<double>(figures.step - *first_step_),
             to_do = static_cast<double>(figures.total_steps - figures.step);
  return seconds_between(first_time_, now) / made * to_do;
}

/// For a log: everything, in the order of reading.
std::string Progress::text(const Figures& f, Time now) const {
  std::string text = label_;
  if (f.epoch)
    text += f.epochs ? fmt::format("  epoch {:.2f}/{}", *f.epoch, *f.epochs) : fmt::format("  epoch {:.2f}", *f.epoch);
  text += f.epoch ? "  step " : "  ";
  text += f.total_steps > 0 ? fmt::format("{}/{}", f.step, f.total_steps) : std::to_string(f.step);
  if (f.loss) text += fmt::format("  loss {:.4f}", *f.loss);
  if (f.accuracy) text += fmt::format("  accuracy {:.2f}%", 100 * *f.accuracy);
  if (f.rate) text += fmt::format("  rate {:.4g}", *f.rate);
  if (f.images_per_second) text += fmt::format("  {:.0f} images/s", *f.images_per_second);
  if (f.corrupt > 0) text += fmt::format("  {} corrupt skipped", f.corrupt);
  const auto left = seconds_left(f, now);
  if (left && f.step < f.total_steps) text += "  left " + duration_text(*left);
  return text;
}

void Progress::put(Kind kind, std::string text) {
  Field& field = fields_[kind];
  const std::size_t columns = columns_of(printable(text));
  // The time left becomes shorter, and lets go of "1:" when an hour is gone; by one column it may come and go.
  if (kind == time_left && columns + 1 < field.columns) field.columns = columns;
  field.columns = std::max(field.columns, columns);
  field.text = std::move(text) + std::string(field.columns - columns, ' ');
}

/// For a terminal, the most important first.
void Progress::show(Time now) {
  const Figures& f = figures_;
  const double since = seconds_between(updated_, now);
  if (f.total_steps > 0) {
    // Between two updates the clock goes on, but for an estimate that is made of it.
    const auto left = f.seconds_left ? std::max(0.0, *f.seconds_left - since) : seconds_left(f, updated_);
    put(time_left, "left " + (left ? duration_text(*left) : "?"));
  }
  const std::string of_all = f.total_steps > 0 ? fmt::format("{}/{}", f.step, f.total_steps) : std::to_string(f.step);
  if (f.epoch) {
    put(done, f.epochs ? fmt::format("epoch {:.2f}/{}", *f.epoch, *f.epochs) : fmt::format("epoch {:.2f}", *f.epoch));
    put(steps, "step " + of_all);
  } else {
    put(done, label_ + " " + of_all);
  }
  if (long_steps_) put(this_step, (f.epoch ? "this step " : "this part ") + duration_text(std::floor(since)));
  if (f.loss) put(loss, fmt::format("loss {:.4f}", *f.loss));
  if (f.accuracy) put(accuracy, fmt::format("acc {:.1f}%", 100 * *f.accuracy));
  if (f.images_per_second) put(speed, fmt::format("{:.0f} images/s", *f.images_per_second));
  if (f.corrupt > 0) put(corrupt, fmt::format("{} corrupt skipped", f.corrupt));
  if (f.rate) put(rate, fmt::format("rate {:.2g}", *f.rate));
  std::vector<std::string> shown;
  for (const Field& field : fields_) {
    if (!field.text.empty()) shown.push_back(field.text);
  }
  status_.show(std::move(shown));
  drawn_ = now;
}

void Progress::note(const Figures& figures, Time now) {
  if (!first_step_) {
    first_step_ = figures.step;
    first_time_ = now;
  }
  figures_ = figures;
  updated_ = now;
}

void Progress::begin(const Figures& figures) noexcept try {
  const Time now = Clock::now();
  const std::lock_guard lock(mutex_);
  note(figures, now);
  if (!terminal_.interactive() || finished_) return;
  shown_ = true;
  show(now);
} catch (...) {
}

void Progress::update(const Figures& figures) noexcept try {
  const Time now = Clock::now();
  const std::lock_guard lock(mutex_);
  note(figures, now);
  const double wait = terminal_.interactive() ? 0.1 : seconds_;
  if (finished_ || (shown_ && seconds_between(drawn_, now) < wait)) return;
  shown_ = true;
  if (terminal_.interactive()) return show(now);
  terminal_.line(text(figures, now));
  drawn_ = now;
} catch (...) {
}

void Progress::tick(Time now) noexcept try {
  const std::lock_guard lock(mutex_);
  if (!shown_ || finished_) return;
  if (status_.is_covered()) {
    updated_ = now;  // what is done meanwhile is no part of the step
    return;
  }
  long_steps_ = long_steps_ || seconds_between(updated_, now) >= long_step;
  if (long_steps_) show(now);
} catch (...) {
}

void Progress::finish(const Figures& figures) noexcept try {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  status_.show({});
  terminal_.line(text(figures, Clock::now()));
} catch (...) {
}

Activity::Activity(std::string what, Terminal& terminal) : what_(std::move(what)), began_(Clock::now()), status_(terminal) {
  if (terminal.interactive() && logger().should_log(spdlog::level::info))
    ticker_.emplace(tick_period, [this] { tick(Clock::now()); });
}

void Activity::tick(Time now) noexcept try {
  status_.show({duration_text(std::floor(seconds_between(began_, now))), what_});
} catch (...) {
}

}  // namespace qfw
