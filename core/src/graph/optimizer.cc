#include "qfw/optimizer.h"

namespace qfw {

void Optimizer::update_all(GraphBuilder& g, std::span<const Trainable> all, Value rate) const {
  for (const Trainable& one : all) {
    const auto outer = g.scope("optimizer");
    const auto inner = g.scope(one.name);
    update(g, one.parameter, one.gradient, rate);
  }
}

}  // namespace qfw
