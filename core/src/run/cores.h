#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qfw {

/// How many processors the compute threads of this process really had, while it trained. From the kernel's scheduler, where it
/// keeps account of it: time on a processor by time on one or waiting for one, times their number; threads of a lower priority
/// than the caller's decode images and do not count. Else from what all processes together used of the processors that this one
/// may run on: those are had which nobody else used. Where there is neither, nothing is known.
class CoresHad {
 public:
  using Clock = std::chrono::steady_clock;

  /// `proc` and `allowed` (hardware threads) are those of the process.
  explicit CoresHad(int threads, std::filesystem::path proc = "/proc", std::vector<int> allowed = {});

  void go_on(Clock::time_point now = Clock::now());   ///< a step begins
  void glance(Clock::time_point now = Clock::now());  ///< a step has ended: looks, about once a second
  void pause(Clock::time_point now = Clock::now());   ///< something else than steps begins

  std::optional<double> average() const;  ///< from a second on
  std::optional<double> recent() const;   ///< over the last half minute, from then on
  double decoding() const;                ///< what threads of lower priority had on average

 private:
  struct Account {
    std::int64_t ran = 0, waited = 0;  ///< nanoseconds
    bool computes = true;
  };
  struct Sample {
    Clock::time_point when;
    std::map<std::string, Account> threads;  ///< by number
    /// All that the allowed processors did, in ticks; of all processes, and what this one did of it, in seconds.
    double all = 0, busy = 0, own = 0;
  };
  /// Sums over stretches of time.
  struct Sum {
    double seconds = 0;           ///< that are known
    double had = 0, decoded = 0;  ///< cores times seconds
    void add(const Sum& other);
  };

  Sample look(Clock::time_point now) const;
  void read_threads(Sample& sample) const;
  void read_processors(Sample& sample) const;
  std::optional<Sum> between(const Sample& before, const Sample& after) const;
  void take(const Sample& after);

  int threads_;
  std::filesystem::path proc_;
  std::vector<int> allowed_;
  std::optional<Sample> last_;  ///< none: paused
  Sum total_, window_;
  std::optional<double> recent_;
};

/// Less than four fifths of what it could use.
bool are_few(int threads, double cores);
/// "2 threads had 1.31 cores on average: other processes took the rest"
std::string cores_text(int threads, double cores, double decoding, std::string_view when);

}  // namespace qfw
