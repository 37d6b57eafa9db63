#include "run/layer_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "io/log.h"
#include "qfw/error.h"
#include "run/feeds.h"

namespace qfw {

namespace {

using Fetched = OperandStatistics::Fetched;
using Row = LayersFile::Row;

/// Images that each replica looks at: those of a whole batch, or of the only, shorter one.
std::int64_t rows_of(const Session& session, std::int64_t examples) {
  return std::clamp<std::int64_t>(examples / session.replicas().size(), 1, session.eval_batch());
}

/// Curves are not worth a training: a quantizer that cannot do this much does without.
void prepare(Session& session, Session::Watch& watch, std::int64_t completed, std::int64_t rows) try {
  OperandStatistics statistics = operand_statistics(session.describe(session.clock(completed, false), rows));
  watch.operands = std::move(statistics.operands);
  if (!watch.operands.empty()) watch.compiled = session.compile(std::move(statistics.graph));
} catch (const Error& error) {
  logger().warn("no bounds and clip rates of layers: {}", error.what());
  watch.operands.clear();
}

/// What each replica of the run fetched, by rank; empty where its batch had fewer images.
std::vector<std::vector<float>> fetched(Session& session, const Session::Watch& watch, std::int64_t completed,
                                        std::span<const std::span<const float>> images, std::span<const int> counts,
                                        std::int64_t rows) {
  const Graph& graph = watch.compiled.graph;
  std::vector<std::vector<float>> values(images.size(), std::vector<float>(graph.fetches.size()));
  std::vector<Session::Exchange> exchanges(images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto size = static_cast<std::size_t>(rows * session.data().image.count());
    exchanges[i].feeds = feeds_of(graph, {{step_names::images, images[i].first(size)}});
    for (float& value : values[i]) {
      exchanges[i].fetches.push_back({{{}, DType::f32}, std::as_writable_bytes(std::span(&value, 1))});
    }
  }
  session.run(watch.compiled, completed, exchanges);
  std::vector<std::vector<std::byte>> mine;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bytes = std::as_bytes(std::span(values[i]));
    mine.emplace_back(bytes.begin(), counts[i] < rows ? bytes.begin() : bytes.end());
  }
  std::vector<std::vector<float>> all;
  for (const auto& bytes : session.replicas().gather(std::move(mine))) {
    std::memcpy(all.emplace_back(bytes.size() / sizeof(float)).data(), bytes.data(), bytes.size());
  }
  return all;
}

Row row_of(const OperandStatistics::Operand& operand, const std::vector<std::vector<float>>& all) {
  Row row{.layer = operand.path,
          .weights = operand.role == Role::weights,
          .bound = {},
          .bound_min = {},
          .bound_max = {},
          .clipped = {}};
  if (!operand.first) return row;
  const float* first = all.front().data() + *operand.first;  // that replica always has images
  if (std::isfinite(first[Fetched::mean_bound]) && std::isfinite(first[Fetched::greatest_bound])) {
    row.bound = first[Fetched::mean_bound];
    row.bound_min = first[Fetched::least_bound];
    row.bound_max = first[Fetched::greatest_bound];
  }
  double beyond = 0, astray = 0, elements = 0;
  for (const auto& replica : all) {
    if (replica.empty()) continue;
    beyond += replica[*operand.first + Fetched::beyond];
    astray += replica[*operand.first + Fetched::astray];
    elements += static_cast<double>(operand.elements);
  }
  if (astray == 0) row.clipped = beyond / elements;
  return row;
}

}  // namespace

std::vector<Row> layer_statistics(Session& session, Session::Evaluation& evaluation, std::int64_t completed,
                                  std::span<const std::span<const float>> images, std::span<const int> counts,
                                  std::int64_t examples) {
  const std::int64_t rows = rows_of(session, examples);
  if (!evaluation.watch) {
    evaluation.watch = Session::Watch{};  // not emplace(): for clang it is not default constructible (CONTRIBUTING.md)
    prepare(session, *evaluation.watch, completed, rows);
  }
  if (evaluation.watch->operands.empty()) return {};
  const auto all = fetched(session, *evaluation.watch, completed, images, counts, rows);
  std::vector<Row> result;
  for (const OperandStatistics::Operand& operand : evaluation.watch->operands) result.push_back(row_of(operand, all));
  return result;
}

}  // namespace qfw
