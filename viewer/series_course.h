#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "viewer/course.h"
#include "viewer/csv_tail.h"

namespace qfw::viewer {

/// series.csv as curves: of training and of evaluations.
class SeriesCourse {
 public:
  static constexpr std::size_t most_points = 4000;
  static constexpr std::string_view needed_columns[] = {"step"};

  SeriesCourse();

  /// Reads what is new; the file, or null if there is none. Throws FileProblem.
  std::unique_ptr<FolderFile> refresh(const Folder& folder);

  const Course& training() const { return training_; }
  const Course& evaluations() const { return evaluations_; }
  std::string problem() const;  ///< lines that were left out; empty if there are none
  const std::string& ending() const { return tail_.ending(); }

 private:
  void begin(Cells header);
  void row(Cells cells);

  CsvTail tail_;
  std::vector<std::string> header_;
  Course training_, evaluations_;
  std::uint64_t left_out_ = 0;
  bool no_series_ = false;
};

}  // namespace qfw::viewer
