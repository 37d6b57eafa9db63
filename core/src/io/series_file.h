#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <variant>

#include "io/row_file.h"

namespace qfw {

/// The course of a run as a table: a line for each step that is sampled and each evaluation, each once whatever became of the
/// run in between. docs/run_folder.md has its columns.
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

  /// Keeps of what is there the trainings until `completed` steps and the evaluations until `evaluated` ones. Throws as RowFile
  /// does.
  SeriesFile(std::filesystem::path path, std::int64_t completed, std::int64_t evaluated);

  double seconds() const { return seconds_; }  ///< of the last line that was kept

  void add(const Row& row);
  /// Waits until what was written would survive a power cut.
  void sync() { file_->sync(); }

 private:
  std::optional<RowFile> file_;
  double seconds_ = 0;
};

}  // namespace qfw
