#include "train/explanation.h"

#include <bit>

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

Explanation::LayerRow row_of(const QuantizedSite& site) {
  Explanation::LayerRow row;
  row.path = site.path;
  row.op = name_of(site.op);
  row.src = of_one_image(site.src_type.shape), row.weights = site.weights_type.shape,
  row.dst = of_one_image(site.dst_type.shape);
  const std::int64_t positions = row.dst.count() / row.dst.channels();
  row.multiplications = positions * row.weights.count();
  row.weight_bits = bits_of(site.weights), row.act_bits = bits_of(site.src);
  row.integer = site.integer;
  row.reason = site.reason;
  return row;
}

}  // namespace

Explanation explain(Session& session) {
  Explanation explanation;
  const std::int64_t total = session.total_steps();
  for (const QuantizedSite& site : session.evaluation_graph_at(total).sites) {
    explanation.layers.push_back(row_of(site));
    explanation.multiplications += explanation.layers.back().multiplications;
    explanation.matmul_weights += explanation.layers.back().weights.count();
  }
  std::vector<Phase> last;
  for (std::int64_t step = 0; step < total; ++step) {
    const Clock clock = session.clock(step, true);
    auto phases = session.phases(clock);
    if (step > 0 && phases == last) continue;
    last = std::move(phases);
    explanation.phases.push_back({step, session.phase_text(clock)});
  }
  const auto& compiled = session.training(total - 1);
  for (const Variable& variable : compiled.graph.variables) {
    explanation.variable_bytes += static_cast<std::int64_t>(variable.type.bytes());
    if (variable.kind == Variable::Kind::parameter) explanation.parameters += variable.type.shape.count();
  }
  explanation.arena_bytes = compiled.executables.front()->arena_bytes();
  return explanation;
}

}  // namespace qfw
