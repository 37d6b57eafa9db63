#include "viewer/layer_course.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "util/counted.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 28;
constexpr std::string_view step_column = "step", layer_column = "layer", operand_column = "operand";
constexpr std::string_view quantity_columns[] = {"bound", "bound_min", "bound_max", "clipped"};
constexpr std::string_view quantity_names[] = {"bound", "low", "high", "clipped"};
constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

}  // namespace

LayerCourse::LayerCourse() : tail_("layers.csv", most_bytes) {}

std::unique_ptr<FolderFile> LayerCourse::refresh(const Folder& folder) {
  auto file = tail_.follow(folder, {[this](Cells header) { begin(header); }, [this](Cells cells) { row(cells); }});
  if (file && no_table_) throw FileProblem("its first line names no columns `step`, `layer` and `operand`");
  return file;
}

void LayerCourse::begin(Cells header) {
  header_.assign(header.begin(), header.end());
  const auto lacks = [&](std::string_view column) { return std::ranges::find(header, column) == header.end(); };
  no_table_ = !header.empty() && (lacks(step_column) || lacks(layer_column) || lacks(operand_column));
  numbers_.clear();
  operands_.clear();
  evaluations_.clear();
  last_ = {};
  closed_ = rows_ = left_out_ = 0;
  every_ = 1;
  ++generation_;
}

std::size_t LayerCourse::operand(std::string_view layer, std::string_view name) {
  std::pair key{std::string(layer), std::string(name)};
  if (const auto found = numbers_.find(key); found != numbers_.end()) return found->second;
  if (operands_.size() == most_operands) return nowhere;
  if (!evaluations_.empty()) ++generation_;  // earlier evaluations have a place for it now
  operands_.push_back(key);
  return numbers_[std::move(key)] = operands_.size() - 1;
}

void LayerCourse::row(Cells cells) {
  if (no_table_) return;
  const auto cell = [&](std::string_view column) -> std::string_view {
    const auto found = std::ranges::find(header_, column);
    const auto index = static_cast<std::size_t>(found - header_.begin());
    return index < cells.size() ? cells[index] : std::string_view();
  };
  const double step = number_in(cell(step_column));
  const std::size_t number =
      cells.size() == header_.size() && step >= last_.step ? operand(cell(layer_column), cell(operand_column)) : nowhere;
  if (number == nowhere) {
    ++left_out_;
    return;
  }
  ++rows_;
  if (step > last_.step && last_.step >= 0) close_evaluation();
  last_.step = step;
  constexpr float none = NAN;
  if (last_.operands.size() <= number) last_.operands.resize(number + 1, Values{none, none, none, none});
  for (std::size_t i = 0; i < quantities; ++i)
    last_.operands[number][i] = static_cast<float>(number_in(cell(quantity_columns[i])));
}

void LayerCourse::close_evaluation() {
  if (closed_++ % every_ == 0) evaluations_.push_back(std::move(last_));
  last_ = {};
  if (evaluations_.size() < most_evaluations) return;
  for (std::size_t i = 1; 2 * i < evaluations_.size(); ++i) evaluations_[i] = std::move(evaluations_[2 * i]);
  evaluations_.resize((evaluations_.size() + 1) / 2);
  every_ *= 2;
  ++generation_;
}

std::string LayerCourse::problem() const {
  return left_out_ == 0 ? ""
                        : fmt::format("{} out of order, too many or not of its columns, and left out",
                                      counted(left_out_, "line is", "lines are"));
}

json::object LayerCourse::since(std::size_t from) const {
  std::vector<const Evaluation*> shown;
  for (std::size_t i = from; i < evaluations_.size(); ++i) shown.push_back(&evaluations_[i]);
  if (last_.step >= 0) shown.push_back(&last_);
  json::array steps, operands;
  for (const Evaluation* evaluation : shown) steps.emplace_back(evaluation->step);
  for (std::size_t number = 0; number < operands_.size(); ++number) {
    json::object row{{"layer", operands_[number].first}, {"operand", operands_[number].second}};
    for (std::size_t i = 0; i < quantities; ++i) {
      json::array values;
      for (const Evaluation* evaluation : shown) {
        const bool known = number < evaluation->operands.size() && std::isfinite(evaluation->operands[number][i]);
        // In the shortest form of a float, not the long one of the same value as a double.
        values.push_back(known ? json::value(number_in(fmt::format("{}", evaluation->operands[number][i])))
                               : json::value(nullptr));
      }
      row[quantity_names[i]] = std::move(values);
    }
    operands.push_back(std::move(row));
  }
  return {{"from", from}, {"every", every_}, {"step", std::move(steps)}, {"operands", std::move(operands)}};
}

}  // namespace qfw::viewer
