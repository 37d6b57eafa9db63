#include "stash_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "io/printable.h"
#include "layout.h"
#include "util/counted.h"

namespace qfw {
namespace {

constexpr std::size_t most_columns = 80, most_rows = 40;

std::string mebibytes(std::int64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 20)); }
Column numbers(std::string heading) { return {.heading = std::move(heading), .numbers = true}; }

/// What is computed a second time, and what that saves.
std::string recomputed(const Explanation& explanation) {
  if (explanation.recompute == Recompute::none) return "";
  std::map<std::string, int> ops;
  std::int64_t bytes = 0;
  for (const Stash::Row& row : explanation.stash.again) {
    ++ops[row.op];
    bytes += row.bytes();
  }
  std::string list;
  for (const auto& [op, count] : ops) list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count, op);
  return fmt::format(
      "; recompute {}: values of {} in all are computed again when they are needed ({}); without that {} are kept among {}",
      name_of(explanation.recompute), mebibytes(bytes), list.empty() ? "none" : list, mebibytes(explanation.stash_without),
      mebibytes(explanation.arena_without));
}

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
  if (total.again > 0) table.push_back(numbers("again"));
  for (const LayerStash& row : rows) {
    std::size_t column = 0;
    const auto add = [&](const std::string& cell) { table[column++].cells.push_back(cell); };
    add(printable(row.layer));
    add(std::to_string(row.values));
    for (const DType dtype : dtypes) add(row.of(dtype) == 0 ? "" : mebibytes(row.of(dtype)));
    add(mebibytes(row.all()));
    add(fmt::format("{:.1f}", 100 * static_cast<double>(row.all()) / static_cast<double>(total.all())));
    if (total.again > 0) add(row.again == 0 ? "" : mebibytes(row.again));
  }
  const std::size_t columns = std::min(most_columns, output_width(most_columns));
  fit_paths(table, columns);
  const std::string sum = fmt::format(
      "memory of a training step at batch {}, MiB: {} kept for backward among intermediate values of {} ({:.2f} times); "
      "parameters {}, optimizer {}, other state {}",
      batch, mebibytes(total.all()), mebibytes(explanation.arena_bytes),
      static_cast<double>(explanation.arena_bytes) / static_cast<double>(total.all()), mebibytes(explanation.parameter_bytes),
      mebibytes(explanation.optimizer_bytes), mebibytes(explanation.state_bytes));
  return qfw::table(table, columns) + wrapped(sum + recomputed(explanation), columns, 0);
}

}  // namespace qfw
