#include "io/series_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "io/cells.h"

namespace qfw {

namespace {

constexpr RowFile::Kind series{
    "a run's series", "step,seconds,images_per_second,loss,accuracy,learning_rate,eval_loss,eval_accuracy,eval_top5\n"};
constexpr std::size_t columns = 9;

/// What of a line decides whether it is kept.
struct Place {
  std::int64_t step = 0;
  double seconds = 0;
  bool evaluation = false;
};

/// A line as add() writes them; none for anything else.
std::optional<Place> place_of(std::string_view line) {
  std::array<std::string_view, columns> cells;
  for (std::size_t i = 0; i < columns; ++i) {
    const std::size_t comma = i + 1 < columns ? line.find(',') : line.size();
    if (comma == std::string_view::npos) return std::nullopt;
    cells[i] = line.substr(0, comma);
    line.remove_prefix(std::min(line.size(), comma + 1));
  }
  const auto step = number_of<std::int64_t>(cells[0]);
  if (!step || *step < 1) return std::nullopt;
  Place place{.step = *step, .evaluation = cells[2].empty()};
  for (std::size_t i = 1; i < columns; ++i) {
    const bool wanted = i == 1 || (i >= 6) == place.evaluation;
    if (!wanted && cells[i].empty()) continue;
    const auto value = number_of<double>(cells[i]);
    if (!wanted || !value || !std::isfinite(*value)) return std::nullopt;
    if (i == 1) place.seconds = *value;
  }
  return place.seconds >= 0 ? std::optional(place) : std::nullopt;
}

std::string text_of(const SeriesFile::Row& row) {
  if (const auto* training = std::get_if<SeriesFile::Training>(&row.values)) {
    return fmt::format("{},{:.3f},{:.1f},{},{},{},,,\n", row.step, row.seconds, training->images_per_second, training->loss,
                       training->accuracy, training->rate);
  }
  const auto& evaluation = std::get<SeriesFile::Evaluation>(row.values);
  return fmt::format("{},{:.3f},,,,,{},{},{}\n", row.step, row.seconds, evaluation.loss, evaluation.accuracy, evaluation.top5);
}

}  // namespace

SeriesFile::SeriesFile(std::filesystem::path path, std::int64_t completed, std::int64_t evaluated) {
  Place last_training, last_evaluation;
  file_.emplace(std::move(path), series, [&](std::string_view line) {
    const auto place = place_of(line);
    const std::int64_t before = std::max(last_training.step, last_evaluation.step);
    if (!place || place->step < before || place->step <= (place->evaluation ? last_evaluation : last_training).step) {
      return RowFile::Line::none;
    }
    if (place->step > (place->evaluation ? evaluated : completed)) return RowFile::Line::beyond;
    (place->evaluation ? last_evaluation : last_training) = *place;
    seconds_ = place->seconds;
    return RowFile::Line::keep;
  });
}

void SeriesFile::add(const Row& row) { file_->add(text_of(row)); }

}  // namespace qfw
