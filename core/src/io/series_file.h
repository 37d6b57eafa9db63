#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

namespace qfw {

/// The course of a run as text: a header, then a line for each step that is sampled and each evaluation, in order.
/// docs/series.md has its columns. It goes on over all starts of the run: each line is written with one call as soon as it is
/// known, and what is beyond the checkpoint that a start goes on from is cut off, so that each stands there once.
class SeriesFile {
 public:
  struct Training {
    double images_per_second = 0;
    float loss = 0;
    double accuracy = 0;
    float rate = 0;
  };
  struct Evaluation {
    double loss = 0, accuracy = 0, top5 = 0;
  };
  struct Row {
    std::int64_t step = 0;  ///< completed steps
    double seconds = 0;     ///< spent on training steps until then
    std::variant<Training, Evaluation> values;
  };

  /// Opens or makes it, and keeps of it the trainings until `completed` steps and the evaluations until `evaluated` ones. A
  /// line that is none is cut off with all that follows, with a warning unless it is the half one that a kill left. Throws
  /// Error::Category::data if it cannot be opened, is no regular file, or has another header: then it is left as it is.
  SeriesFile(std::filesystem::path path, std::int64_t completed, std::int64_t evaluated);
  SeriesFile(const SeriesFile&) = delete;
  SeriesFile& operator=(const SeriesFile&) = delete;
  ~SeriesFile();

  double seconds() const { return seconds_; }  ///< of the last line that was kept

  /// What cannot be written is warned of once, tried again with the next line, and counted in the end.
  void add(const Row& row);
  /// Waits until what was written would survive a power cut.
  void sync();

 private:
  void keep(std::int64_t completed, std::int64_t evaluated);
  void write();

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t end_ = 0;  ///< of what is written: a failed attempt is repeated at the same place
  std::string pending_;
  std::uint64_t dropped_ = 0;
  double seconds_ = 0;
  bool failing_ = false;
};

}  // namespace qfw
