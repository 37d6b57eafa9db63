#include "passes/operand_statistics.h"

#include <algorithm>
#include <cmath>

#include "graph/builder_access.h"
#include "passes/finish.h"
#include "passes/forward.h"

namespace qfw {

namespace {

Value as_f32(Value x) { return x.dtype() == DType::f32 ? x : cast(x, DType::f32); }

Value bound_of(GraphBuilder& g, const Operand& quantized) {
  const float largest = std::max(std::abs(quantized.grid->low), std::abs(quantized.grid->high));
  if (quantized.scale.is_number()) return BuilderAccess::constant(g, std::abs(largest / quantized.scale.number()));
  return as_f32(abs(largest / quantized.scale));
}

void fetch_all(GraphBuilder& g, Value operand, const Operand& quantized) {
  const Grid& grid = *quantized.grid;
  // An operand that gave its scale lies on the end of the grid, or half a step beyond it, but for rounding.
  const double slack = 0x1p-16 * std::max({1.f, std::abs(grid.low), std::abs(grid.high)});
  const Value bound = bound_of(g, quantized), place = operand * quantized.scale;
  const Value outside = (place > grid.high + 0.5 + slack) + (place < grid.low - 0.5 - slack);
  const Value apart = abs(place - as_f32(quantized.codes)) > 1 + slack;
  g.fetch("mean bound", mean(bound));
  g.fetch("least bound", reduce_min(bound));
  g.fetch("greatest bound", reduce_max(bound));
  g.fetch("beyond", sum(outside));
  g.fetch("astray", sum((1 - outside) * apart));
}

}  // namespace

OperandStatistics operand_statistics(const StepDescription& description) {
  OperandStatistics statistics;
  GraphBuilder g({.training = false, .summation = Summation::free});  // counts are whole numbers: exact, and on all threads
  StepDescription observed = description;
  observed.quantization.require_integer = false;
  observed.quantization.observe = [&](const MatmulSite& site, Role role, Value operand, const Operand&) {
    auto& told = statistics.operands.emplace_back(
        OperandStatistics::Operand{.path = site.path, .role = role, .elements = operand.shape().count(), .first = {}});
    const auto [quantizer, phase] = description.quantizer_of(site.path);
    const auto scope = g.scope(role == Role::src ? "src" : "weights");
    const Operand alone = quantizer->quantize(g, site, role, operand, phase);
    if (!alone.grid) return;
    told.first = g.graph().fetches.size();
    fetch_all(g, operand, alone);
  };
  quantized_logits(observed, g);
  statistics.graph = finish(g.graph(), description.replicas);
  return statistics;
}

}  // namespace qfw
