#include "stash_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "io/printable.h"
#include "layout.h"
#include "util/counted.h"

namespace qfw {
namespace {

constexpr std::size_t most_columns = 80, most_rows = 40;

std::string mebibytes(std::int64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20)); }
Column numbers(std::string heading) { return {.heading = std::move(heading), .numbers = true}; }

}  // namespace

std::string stash_table(const Explanation& explanation, std::int64_t batch) {
  std::vector<LayerStash> rows = by_layer(explanation.stash, most_rows);
  LayerStash total;
  for (const LayerStash& row : rows) total += row;
  total.layer = "all";
  rows.push_back(total);
  std::vector<DType> dtypes;
  for (std::size_t i = 0; i < total.bytes.size(); ++i) {
    if (total.bytes[i] > 0) dtypes.push_back(static_cast<DType>(i));
  }
  std::vector<Column> table = {{.heading = "kept for backward, MiB"}, numbers("values")};
  for (const DType dtype : dtypes) table.push_back(numbers(name_of(dtype)));
  table.push_back(numbers("sum"));
  table.push_back(numbers("%"));
  for (const LayerStash& row : rows) {
    std::size_t column = 0;
    const auto add = [&](const std::string& cell) { table[column++].cells.push_back(cell); };
    add(printable(row.layer));
    add(std::to_string(row.values));
    for (const DType dtype : dtypes) add(row.of(dtype) == 0 ? "" : mebibytes(row.of(dtype)));
    add(mebibytes(row.all()));
    add(fmt::format("{:.1f}", 100 * static_cast<double>(row.all()) / static_cast<double>(total.all())));
  }
  const std::size_t columns = std::min(most_columns, output_width(most_columns));
  fit_paths(table, columns);
  const std::string sum = fmt::format(
      "memory of a training step at batch {}, MiB: {} kept for backward among intermediate values of {} ({:.2f} times); "
      "parameters {}, optimizer {}, other state {}",
      batch, mebibytes(total.all()), mebibytes(explanation.arena_bytes),
      static_cast<double>(explanation.arena_bytes) / static_cast<double>(total.all()), mebibytes(explanation.parameter_bytes),
      mebibytes(explanation.optimizer_bytes), mebibytes(explanation.state_bytes));
  return qfw::table(table, columns) + wrapped(sum, columns, 0);
}

}  // namespace qfw
