#pragma once

#include <functional>
#include <string_view>

#include "qfw/builder.h"
#include "qfw/quantizer.h"

namespace qfw {

struct Quantization {
  bool integer = false;           ///< arithmetic = integer
  bool require_integer = false;   ///< refuse a graph with a site that could not be made so
  bool integer_backward = false;  ///< backward = int8
  DType compute = DType::f32;     ///< dtype of matmul operands and of what lies between them
  std::string quantizer;          ///< its name, for messages
  /// If given, told of each operand that got a grid: what it was and what it became. Products are then those of floats,
  /// whatever is asked for: codes that are not on their grid have no integers.
  std::function<void(const MatmulSite& site, Role role, Value operand, const Operand& quantized)> observe{};
};

/// "activations", "weights".
const char* name_of(Role role);

/// The quantizer of a layer, and the phase it is in.
struct SiteQuantizer {
  const Quantizer* quantizer = nullptr;
  Phase phase = 0;
};

/// Copies a model's graph into `to`, where each conv2d and dense becomes a product of quantized operands in the compute type.
/// Records what became of each in Graph::sites. Throws, naming the layer, if an integer product could overflow its 32-bit sum.
/// `output` is a value of `model`; its copy is returned.
Value quantize(const Graph& model, GraphBuilder& to, Use output, const std::function<SiteQuantizer(std::string_view path)>& of,
               const Quantization& how);

/// The largest magnitude of the integers that codes on this grid become.
double largest_integer(const Grid& grid);

/// The largest magnitude that the sum of an integer product can take, whatever the data are: what rules out an overflow.
double largest_sum(const QuantizedSite& site);

}  // namespace qfw
