#pragma once

#include "graph/builder_access.h"
#include "passes/integer_backward.h"

namespace qfw::test {

/// The product of floats and whole weights from `low` to `high`, whose gradient of `src` is that of integers.
inline Value product_with_integer_backward(GraphBuilder& g, Value src, Value weights, const Conv2d& conv, float low = -128,
                                           float high = 127) {
  const bool is_dense = src.shape().rank() == 2;
  const Value floats = cast(weights, src.dtype());
  const Value product = is_dense ? dense(src, floats) : conv2d(src, floats, conv);
  std::vector<QuantizedSite>& sites = BuilderAccess::graph(g).sites;
  QuantizedSite& site = sites.emplace_back();
  site.path = g.path();
  site.op = is_dense ? Op::dense : Op::conv2d;
  site.conv = conv;
  site.weights_type = weights.type();
  site.weights.grid = Grid{low, high};
  differentiate_in_integers(g, product, weights, sites.size() - 1);
  return product;
}

}  // namespace qfw::test
