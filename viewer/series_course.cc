#include "viewer/series_course.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "util/counted.h"

namespace qfw::viewer {

namespace {

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 30;  // as for those who write it

constexpr std::string_view training_columns[] = {"seconds", "images_per_second", "loss", "accuracy", "learning_rate"};
constexpr std::string_view evaluation_columns[] = {"seconds", "eval_loss", "eval_accuracy", "eval_top5"};

}  // namespace

SeriesCourse::SeriesCourse()
    : tail_("series.csv", most_bytes),
      training_(training_columns, most_points),
      evaluations_(evaluation_columns, most_points) {}

std::unique_ptr<FolderFile> SeriesCourse::refresh(const Folder& folder) {
  auto file = tail_.follow(folder, {[this](Cells header) { begin(header); }, [this](Cells cells) { row(cells); }});
  if (file && no_series_) throw FileProblem("it does not begin as a run's series: its first line names no column `step`");
  return file;
}

void SeriesCourse::begin(Cells header) {
  header_.assign(header.begin(), header.end());
  no_series_ = !header.empty() && std::ranges::find(header, "step") == header.end();
  left_out_ = 0;
  training_.clear();
  evaluations_.clear();
}

/// Columns are found by name, so that a series with fewer or more of them is read too.
void SeriesCourse::row(Cells cells) {
  if (no_series_) return;
  std::map<std::string_view, double> values;
  for (std::size_t i = 0; i < std::min(cells.size(), header_.size()); ++i) values[header_[i]] = number_in(cells[i]);
  const auto has = [&](std::string_view column) { return values.contains(column) && std::isfinite(values[column]); };
  const bool trains = has("loss") || has("learning_rate"), evaluates = has("eval_loss") || has("eval_accuracy");
  if (cells.size() != header_.size() || !has("step") || trains == evaluates) {
    ++left_out_;
    return;
  }
  std::vector<double> row;
  const auto pick = [&](std::span<const std::string_view> columns) {
    for (const std::string_view column : columns) row.push_back(has(column) ? values[column] : std::nan(""));
  };
  trains ? pick(training_columns) : pick(evaluation_columns);
  if (!(trains ? training_ : evaluations_).add(values["step"], row)) ++left_out_;
}

std::string SeriesCourse::problem() const {
  return left_out_ == 0
             ? ""
             : fmt::format("{} no part of a series, or out of order, and left out", counted(left_out_, "line is", "lines are"));
}

}  // namespace qfw::viewer
