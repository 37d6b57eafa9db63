#include "qfw/bounds.h"

#include <algorithm>
#include <cmath>

#include "qfw/op_definition.h"

namespace qfw {

namespace {

Bounds range_of(DType type) {
  switch (type) {
    case DType::u8:
      return {0, 255};
    case DType::s8:
      return {-128, 127};
    case DType::s32:
      return {-0x1p31, 0x1p31 - 1};
    default:
      return {};
  }
}

/// Rounding is monotonic: bounds rounded as the values are remain bounds. Sums, products, quotients and roots of two floats
/// that are rounded to double before they are rounded to float give the same float (Figueroa 1995), so that rules may use
/// doubles.
double rounded(double value, DType type) { return is_float(type) ? qfw::rounded(static_cast<float>(value), type) : value; }

Bounds as_stored(Bounds bounds, DType type) {
  constexpr double least_normal = 0x1p-126;
  const Bounds widest = range_of(type);
  Bounds stored{std::isnan(bounds.low) ? widest.low : std::max(rounded(bounds.low, type), widest.low),
                std::isnan(bounds.high) ? widest.high : std::min(rounded(bounds.high, type), widest.high)};
  if (!is_float(type)) return stored;
  // A subnormal number may count as zero.
  if (stored.low > 0 && stored.low < least_normal) stored.low = 0;
  if (stored.high < 0 && stored.high > -least_normal) stored.high = 0;
  return stored;
}

}  // namespace

Bounds ValueBounds::of(Use use) {
  while (static_cast<int>(known_.size()) <= use.node) add_node();
  return known_[use.node][use.output];
}

void ValueBounds::add_node() {
  const Node& node = graph_.nodes[known_.size()];
  std::vector<Bounds> inputs;
  for (const Use use : node.inputs) inputs.push_back(known_[use.node][use.output]);
  const BoundsRule rule = definition(node.op).bounds;
  std::vector<Bounds> outputs;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    outputs.push_back(as_stored(rule == nullptr ? Bounds{} : rule(node, inputs, static_cast<int>(i)), node.outputs[i].dtype));
  }
  known_.push_back(std::move(outputs));
}

}  // namespace qfw
