#pragma once

#include <cstddef>

#include "qfw/builder.h"

namespace qfw {

/// Has the gradient of `product`'s src, where it is needed, computed in integers: the gradient of the product, rounded
/// stochastically to s8 with a scale for each image, times `weights`, which are the product's own as s8. The weights' gradient
/// stays that of floats. `site` is the place of the layer's record in Graph::sites, which is told of the integer product.
/// Differentiation throws, naming the layer, if its 32-bit sum could overflow.
void differentiate_in_integers(GraphBuilder& g, Value product, Value weights, std::size_t site);

/// The largest magnitude that a sum of that integer product can take, whatever the gradients are.
double largest_backward_sum(const QuantizedSite& site);

/// A gradient in 8 bits: gradient = codes * step, on average over `uniform` numbers in [0, 1) (docs/numerics.md).
struct RoundedGradient {
  Value codes;  ///< s8, -127 to 127; 0 where the image's gradient is not finite
  Value step;   ///< f32, one for each image, [N, 1, ...]; not finite where the image's gradient is not
};
RoundedGradient round_stochastically(Value gradient, Value uniform);

}  // namespace qfw
