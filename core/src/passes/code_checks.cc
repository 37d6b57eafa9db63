#include "passes/code_checks.h"

#include <limits>

#include "graph/builder_access.h"
#include "passes/finish.h"
#include "passes/forward.h"

namespace qfw {

namespace {

/// 1 where a code is one of the grid's, else 0; comparisons with NaN are false.
Value on_grid(Value codes, const Grid& grid) {
  const Value steps = codes - grid.low;
  return (codes >= grid.low) * (codes <= grid.high) * equal(steps, floor(steps));
}

}  // namespace

CodeChecks code_checks(const StepDescription& description, bool training) {
  CodeChecks checks;
  GraphBuilder g({.training = training, .may_update = false});
  StepDescription observed = description;
  observed.quantization.require_integer = false;
  observed.quantization.observe = [&](const MatmulSite& site, Role role, Value operand, const Operand& quantized) {
    const Value codes = quantized.codes.dtype() == DType::f32 ? quantized.codes : cast(quantized.codes, DType::f32);
    const Value sound = equal(sum(1 - is_finite(operand)), 0);
    const Value off = (1 - on_grid(codes, *quantized.grid)) * sound, finite = is_finite(codes);
    g.fetch("off", sum(off));
    g.fetch("not finite", sum(off * (1 - finite)));
    g.fetch("largest", reduce_max(select(off * finite, codes, std::numeric_limits<float>::lowest())));
    g.fetch("nan", sum(1 - equal(operand, operand)));
    checks.operands.push_back({site.path, role, *quantized.grid});
  };
  quantized_logits(observed, g);
  checks.graph = finish(g.graph(), description.replicas);
  return checks;
}

}  // namespace qfw
