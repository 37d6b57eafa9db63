#include "run/cores.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "qfw/processors.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

constexpr double window_seconds = 30;

double seconds_between(CoresHad::Clock::time_point begin, CoresHad::Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

double own_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// The nice value of a thread: field 19 of its stat; the name before it, in brackets, may hold anything.
std::optional<int> nice_of(const fs::path& task) {
  std::ifstream file(task / "stat");
  std::string line;
  std::getline(file, line);
  std::istringstream fields(line.substr(std::min(line.rfind(')') + 1, line.size())));
  std::string skipped;
  for (int field = 3; field < 19; ++field) fields >> skipped;
  int nice = 0;
  return fields >> nice ? std::optional(nice) : std::nullopt;
}

}  // namespace

CoresHad::CoresHad(int threads, fs::path proc, std::vector<int> allowed)
    : threads_(threads), proc_(std::move(proc)), allowed_(allowed.empty() ? usable_processors().allowed : std::move(allowed)) {}

void CoresHad::read_threads(Sample& sample) const {
  const auto usual = nice_of(proc_ / "self");
  std::error_code error;
  for (const auto& task : fs::directory_iterator(proc_ / "self/task", error)) {
    std::ifstream file(task.path() / "schedstat");
    Account account;
    if (!(file >> account.ran >> account.waited) || account.ran == 0) continue;  // 0: no account is kept
    const auto nice = nice_of(task.path());
    account.computes = !usual || !nice || *nice <= *usual;
    sample.threads[task.path().filename().string()] = account;
  }
}

/// proc(5): user, nice, system, idle, iowait, ... ; guests are counted in what runs them.
void CoresHad::read_processors(Sample& sample) const {
  std::ifstream file(proc_ / "stat");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    if (!name.starts_with("cpu") || name.size() == 3) continue;
    const int number = std::atoi(name.c_str() + 3);
    if (!std::ranges::binary_search(allowed_, number)) continue;
    double ticks = 0;
    for (int field = 0; field < 8 && fields >> ticks; ++field) {
      sample.all += ticks;
      if (field != 3 && field != 4) sample.busy += ticks;
    }
  }
  sample.own = own_seconds();
}

CoresHad::Sample CoresHad::look(Clock::time_point now) const {
  Sample sample;
  sample.when = now;
  read_threads(sample);
  if (sample.threads.empty()) read_processors(sample);
  return sample;
}

void CoresHad::Sum::add(const Sum& other) {
  seconds += other.seconds;
  had += other.had;
  decoded += other.decoded;
}

std::optional<CoresHad::Sum> CoresHad::between(const Sample& before, const Sample& after) const {
  Sum sum{.seconds = seconds_between(before.when, after.when)};
  if (sum.seconds <= 0) return std::nullopt;
  if (!after.threads.empty()) {
    double ran = 0, waited = 0;
    for (const auto& [number, now] : after.threads) {
      const auto then = before.threads.find(number);
      if (then == before.threads.end()) continue;
      const auto ran_here = 1e-9 * static_cast<double>(now.ran - then->second.ran);
      if (now.computes) {
        ran += ran_here;
        waited += 1e-9 * static_cast<double>(now.waited - then->second.waited);
      } else {
        sum.decoded += ran_here;
      }
    }
    if (ran <= 0) return std::nullopt;
    sum.had = ran / (ran + std::max(0.0, waited)) * threads_ * sum.seconds;
    return sum;
  }
  const auto processors = static_cast<double>(allowed_.size());
  const double tick = static_cast<double>(sysconf(_SC_CLK_TCK)), all = (after.all - before.all) / tick;
  // Not of this machine, or made up: the sum of everything is the time that has passed, on each of them.
  if (std::abs(all - processors * sum.seconds) > 0.2 * processors * sum.seconds + 0.1) return std::nullopt;
  const double others = std::max(0.0, (after.busy - before.busy) / tick - (after.own - before.own));
  sum.had = std::clamp(processors * sum.seconds - others, 0.0, threads_ * sum.seconds);
  return sum;
}

void CoresHad::take(const Sample& after) {
  const auto sum = between(*last_, after);
  if (!sum) return;
  total_.add(*sum);
  window_.add(*sum);
  if (window_.seconds < window_seconds) return;
  recent_ = window_.had / window_.seconds;
  window_ = {};
}

void CoresHad::go_on(Clock::time_point now) {
  if (!last_) last_ = look(now);
}

void CoresHad::glance(Clock::time_point now) {
  if (last_ && seconds_between(last_->when, now) >= 1) {
    Sample sample = look(now);
    take(sample);
    last_ = std::move(sample);
  }
}

void CoresHad::pause(Clock::time_point now) {
  if (last_) take(look(now));
  last_.reset();
}

std::optional<double> CoresHad::average() const {
  return total_.seconds < 1 ? std::nullopt : std::optional(total_.had / total_.seconds);
}

std::optional<double> CoresHad::recent() const { return recent_; }

double CoresHad::decoding() const { return total_.seconds > 0 ? total_.decoded / total_.seconds : 0; }

bool are_few(int threads, double cores) { return cores < 0.8 * threads; }

std::string cores_text(int threads, double cores, double decoding, std::string_view when) {
  std::string text = fmt::format("{} thread{} had {:.2f} cores {}", threads, threads == 1 ? "" : "s", cores, when);
  const double lost = threads - cores;
  if (lost < 0.05 * threads) return text;
  if (decoding < 0.1 * lost) return text + ": other processes took the rest";
  return text + fmt::format(": other processes and decoding, which had {:.2f}, took the rest", decoding);
}

}  // namespace qfw
