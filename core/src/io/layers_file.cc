#include "io/layers_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/cells.h"

namespace qfw {

namespace {

constexpr RowFile::Kind layers{"a run's table of layers", "step,layer,operand,bound,bound_min,bound_max,clipped\n"};
constexpr std::size_t columns = 7, first_number = 3;

/// The step of a line as add() writes them; none for anything else.
std::optional<std::int64_t> step_of(std::string_view line) {
  const auto cells = cells_of(line);
  if (!cells || cells->size() != columns) return std::nullopt;
  if ((*cells)[1].empty() || ((*cells)[2] != "input" && (*cells)[2] != "weights")) return std::nullopt;
  for (std::size_t i = first_number; i < columns; ++i) {
    const auto number = number_of<double>((*cells)[i]);
    if (!(*cells)[i].empty() && (!number || !std::isfinite(*number))) return std::nullopt;
  }
  return number_of<std::int64_t>((*cells)[0]);
}

std::string text_of(std::optional<double> number) { return number && std::isfinite(*number) ? fmt::format("{}", *number) : ""; }

}  // namespace

LayersFile::LayersFile(std::filesystem::path path, std::int64_t evaluated) {
  std::int64_t last = 1;
  file_.emplace(std::move(path), layers, [&](std::string_view line) {
    const auto step = step_of(line);
    if (!step || *step < last) return RowFile::Line::none;
    if (*step > evaluated) return RowFile::Line::beyond;
    last = *step;
    return RowFile::Line::keep;
  });
}

void LayersFile::add(std::int64_t step, std::span<const Row> rows) {
  std::string lines;
  for (const Row& row : rows) {
    lines += fmt::format("{},{},{},{},{},{},{}\n", step, cell_of(row.layer), row.weights ? "weights" : "input",
                         text_of(row.bound), text_of(row.bound_min), text_of(row.bound_max), text_of(row.clipped));
  }
  file_->add(lines);
}

}  // namespace qfw
