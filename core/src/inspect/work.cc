#include "inspect/work.h"

namespace qfw {

double multiplications_of(const Graph& graph, const Node& node) {
  const auto input = [&](std::size_t i) { return graph.type(node.inputs[i]).shape; };
  const auto times = [](const Shape& product, const Shape& weights) {
    return static_cast<double>(product.count()) * static_cast<double>(weights.count() / weights.channels());
  };
  switch (node.op) {
    case Op::conv2d:
    case Op::dense:
      return times(node.outputs[0].shape, input(1));
    case Op::conv2d_grad_src:  // of the gradient of the product, and the weights
      return times(input(0), input(1));
    case Op::conv2d_grad_weights:  // of the source, and the gradient of the product
      return times(input(1), node.outputs[0].shape);
    default:
      return 0;
  }
}

double peak_of(const Backend::Peak& peak, DType operands) {
  return operands == DType::f32 ? peak.f32 : is_float(operands) ? peak.bf16 : peak.integer;
}

Work work_of(const Graph& graph, std::int64_t batch) {
  Work work;
  for (const Node& node : graph.nodes) {
    const double count = multiplications_of(graph, node) / static_cast<double>(batch);
    if (count == 0) continue;
    const DType operands = graph.type(node.inputs[0]).dtype;
    (operands == DType::f32 ? work.f32 : is_float(operands) ? work.bf16 : work.integer) += count;
  }
  return work;
}

std::optional<double> peak_images_per_second(const Work& work, const Backend::Peak& peak) {
  double seconds = 0;
  for (const auto& [count, a_second] : {std::pair{work.f32, peak.f32}, {work.bf16, peak.bf16}, {work.integer, peak.integer}}) {
    if (count == 0) continue;
    if (a_second == 0) return std::nullopt;
    seconds += count / a_second;
  }
  return seconds > 0 ? std::optional(1 / seconds) : std::nullopt;
}

}  // namespace qfw
