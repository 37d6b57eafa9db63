#include "inspect/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "inspect/task_row.h"
#include "passes/quantize.h"
#include "qfw/error.h"
#include "run/phases.h"

namespace qfw {

namespace {

int bits_of(const QuantizedSite::Side& side) {
  return side.grid ? std::max(1, static_cast<int>(std::bit_width(static_cast<unsigned>(side.grid->levels() - 1)))) : 0;
}

Shape of_one_image(const Shape& shape) {
  std::vector<std::int64_t> extents(shape.begin(), shape.end());
  extents[0] = 1;
  return Shape(extents);
}

std::int64_t multiplications_of(const QuantizedSite& site) {
  const Shape dst = of_one_image(site.dst_type.shape);
  return dst.count() / dst.channels() * site.weights_type.shape.count();
}

Arithmetic arithmetic_of(const Graph& graph, const QuantizedSite& site) {
  if (site.matmul.node < 0) {
    fail(Error::Category::graph, "explain", fmt::format("nothing reads the {} of this layer", name_of(site.op)),
         "layer " + site.path, "take it out of the model, or use what it makes");
  }
  const Node& product = graph.nodes[site.matmul.node];
  return {graph.type(product.inputs[0]).dtype, graph.type(product.inputs[1]).dtype, product.outputs[0].dtype, site.reason};
}

Explanation::LayerRow row_of(const QuantizedSite& site, const Graph& training, const Graph& evaluation) {
  Explanation::LayerRow row;
  row.path = site.path;
  row.op = name_of(site.op);
  row.src = of_one_image(site.src_type.shape), row.weights = site.weights_type.shape,
  row.dst = of_one_image(site.dst_type.shape);
  row.multiplications = multiplications_of(site);
  row.products = row.weights.count() / row.weights.channels();
  row.weight_bits = bits_of(site.weights);
  row.act_bits = bits_of(site.src);
  row.evaluation = arithmetic_of(evaluation, site);
  const auto same = std::ranges::find_if(training.sites, [&](const QuantizedSite& other) { return other.path == site.path; });
  if (same == training.sites.end()) {
    fail(Error::Category::graph, "explain", "evaluation has this layer, training has not", "layer " + site.path);
  }
  row.training = arithmetic_of(training, *same);
  row.integer_backward = same->backward.node >= 0;
  if (row.evaluation.integer()) row.largest_sum = largest_sum(site);
  return row;
}

std::int64_t count_integer(const Graph& graph) {
  return std::ranges::count_if(graph.sites, [&](const QuantizedSite& site) { return arithmetic_of(graph, site).integer(); });
}

void find_phases(const Session& session, Explanation& explanation) {
  struct Found {
    std::int64_t integer = 0;
    Work work;
  };
  std::map<std::vector<Phase>, Found> known;
  for_each_phase(session, [&](std::int64_t step, const std::vector<Phase>& phases) {
    auto found = known.find(phases);
    if (found == known.end()) {
      const Graph graph = session.training_graph_at(step);
      found = known.emplace(phases, Found{count_integer(graph), work_of(graph, session.train_batch())}).first;
    }
    const auto& [integer, work] = found->second;
    explanation.phases.push_back({step, session.phase_text(session.clock(step, true)), integer, work});
  });
}

}  // namespace

std::string Arithmetic::str() const { return fmt::format("{} x {} -> {}", name_of(src), name_of(weights), name_of(sums)); }

Explanation explain(const Session& session) {
  Explanation explanation;
  const std::int64_t total = session.total_steps();
  const Graph training = session.prepared(session.training_graph_at(total - 1)),
              evaluation = session.prepared(session.evaluation_graph_at(total));
  for (const QuantizedSite& site : evaluation.sites) {
    explanation.layers.push_back(row_of(site, training, evaluation));
    explanation.multiplications += explanation.layers.back().multiplications;
    explanation.matmul_weights += explanation.layers.back().weights.count();
  }
  find_phases(session, explanation);
  for (const Variable& variable : training.variables) {
    const bool is_parameter = variable.kind == Variable::Kind::parameter;
    if (is_parameter) explanation.parameters += variable.type.shape.count();
    const bool is_optimizers = variable.name.starts_with(std::string(optimizer_scope) + "/");
    auto& bytes = is_parameter    ? explanation.parameter_bytes
                  : is_optimizers ? explanation.optimizer_bytes
                                  : explanation.state_bytes;
    bytes += static_cast<std::int64_t>(variable.type.bytes());
  }
  return explanation;
}

Explanation explain_compiled(Session& session) {
  Explanation explanation = explain(std::as_const(session));
  const Session::Compiled& compiled = session.training(session.total_steps() - 1);
  explanation.arena_bytes = compiled.arena_bytes();
  explanation.stash = stash_of(compiled.graph, *compiled.executables.front());
  explanation.recompute = compiled.recompute;
  if (compiled.recompute == Recompute::none) return explanation;
  const Session::Compiled without = session.compile_training(session.total_steps() - 1, Recompute::none);
  explanation.arena_without = without.arena_bytes();
  explanation.stash_without = stash_of(without.graph, *without.executables.front()).bytes();
  return explanation;
}

CostReport costs(const Session& session) {
  CostReport report;
  const std::int64_t total = session.total_steps();
  const Graph end = session.evaluation_graph_at(total),
              later = session.evaluation_graph_at(std::max(total, Session::long_after));
  for (std::size_t i = 0; i < later.sites.size(); ++i) {
    const QuantizedSite& site = later.sites[i];
    CostReport::LayerRow row{.path = site.path,
                             .multiplications = multiplications_of(site),
                             .weights = site.weights_type.shape.count(),
                             .weight_bits = bits_of(site.weights),
                             .act_bits = bits_of(site.src),
                             .cost = {},
                             .unquantized = {}};
    row.cost = cost_of(row.multiplications, row.weights, row.weight_bits, row.act_bits);
    row.unquantized = cost_of(row.multiplications, row.weights, 0, 0);
    report.total += row.cost;
    report.unquantized += row.unquantized;
    const bool same =
        i < end.sites.size() && bits_of(end.sites[i].weights) == row.weight_bits && bits_of(end.sites[i].src) == row.act_bits;
    if (!same) ++report.later;
    report.layers.push_back(std::move(row));
  }
  return report;
}

}  // namespace qfw
