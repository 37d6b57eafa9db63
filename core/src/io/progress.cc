#include "io/progress.h"

#include <fmt/format.h>

#include <cmath>

namespace qfw {

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  const auto all = static_cast<long long>(std::llround(seconds));
  const long long hours = all / 3600, minutes = all / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, all % 60) : fmt::format("{}:{:02}", minutes, all % 60);
}

Progress::Progress(std::string label, Terminal& terminal, double seconds)
    : label_(std::move(label)), terminal_(terminal), seconds_(seconds) {}

Progress::~Progress() { terminal_.clear_status(); }

std::string Progress::text(const Figures& now_figures, Time now) const {
  const Figures& f = now_figures;
  std::string text = label_;
  if (f.epoch)
    text += f.epochs ? fmt::format("  epoch {:.2f}/{}", *f.epoch, *f.epochs) : fmt::format("  epoch {:.2f}", *f.epoch);
  text += f.total_steps > 0 ? fmt::format("  step {}/{}", f.step, f.total_steps) : fmt::format("  step {}", f.step);
  if (f.loss) text += fmt::format("  loss {:.4f}", *f.loss);
  if (f.accuracy) text += fmt::format("  accuracy {:.2f}%", 100 * *f.accuracy);
  if (f.rate) text += fmt::format("  rate {:.4g}", *f.rate);
  if (f.images_per_second) text += fmt::format("  {:.0f} images/s", *f.images_per_second);
  if (f.corrupt > 0) text += fmt::format("  {} corrupt skipped", f.corrupt);

  std::optional<double> left = f.seconds_left;
  if (!left && first_step_ && f.step > *first_step_ && f.total_steps > 0) {
    const double spent = std::chrono::duration<double>(now - first_time_).count();
    left = spent / static_cast<double>(f.step - *first_step_) * static_cast<double>(f.total_steps - f.step);
  }
  if (left && f.step < f.total_steps) text += "  left " + duration_text(*left);
  return text;
}

void Progress::update(const Figures& figures) noexcept try {
  const Time now = std::chrono::steady_clock::now();
  if (!first_step_) {
    first_step_ = figures.step;
    first_time_ = now;
  }
  const double wait = terminal_.interactive() ? 0.1 : seconds_;
  if (shown_ && std::chrono::duration<double>(now - last_).count() < wait) return;
  if (terminal_.interactive()) {
    terminal_.status(text(figures, now));
  } else {
    terminal_.line(text(figures, now));
  }
  shown_ = true;
  last_ = now;
} catch (...) {
}

void Progress::report(std::string_view line) noexcept { terminal_.line(line); }

void Progress::finish(const Figures& figures) noexcept try {
  const std::string last = text(figures, std::chrono::steady_clock::now());
  terminal_.clear_status();
  terminal_.line(last);
  shown_ = true;
  last_ = std::chrono::steady_clock::now();
} catch (...) {
}

}  // namespace qfw
