#include "matmul/geometry.h"

#include "qfw/error.h"

namespace qfw::cpu {
namespace {

Geometry convolution(const Shape& src, const Shape& weights, const Shape& dst, const Conv2d& conv) {
  return {.n = src[0],
          .h = src[1],
          .w = src[2],
          .c = src[3],
          .oh = dst[1],
          .ow = dst[2],
          .o = dst[3],
          .kh = weights[0],
          .kw = weights[1],
          .sh = conv.stride[0],
          .sw = conv.stride[1],
          .top = conv.padding.low[0],
          .left = conv.padding.low[1],
          .bottom = conv.padding.high[0],
          .right = conv.padding.high[1],
          .groups = conv.groups};
}

}  // namespace

Geometry geometry_of(const Graph& graph, const Node& node) {
  const Shape &first = graph.type(node.inputs[0]).shape, &second = graph.type(node.inputs[1]).shape;
  switch (node.op) {
    case Op::conv2d:
      return convolution(first, second, node.outputs[0].shape, node.as<Conv2d>());
    case Op::conv2d_grad_src:
      return convolution(node.as<Conv2dGrad>().of, second, first, node.as<Conv2dGrad>().conv);
    case Op::conv2d_grad_weights:
      return convolution(first, node.as<Conv2dGrad>().of, second, node.as<Conv2dGrad>().conv);
    case Op::dense:
      return {.n = first[0], .c = first[1], .o = second[1]};
    default:
      fail(Error::Category::internal, "cpu", std::string(name_of(node.op)) + " has no convolution's extents", node.path);
  }
}

}  // namespace qfw::cpu
