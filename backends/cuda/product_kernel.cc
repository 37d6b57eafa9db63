#include "product_kernel.h"

#include "integer_convolution.h"

namespace qfw::cuda {
namespace {

class ProductKernel final : public Kernel {
 public:
  ProductKernel(const char* kind, const ProductShape& shape, Context& context)
      : kind_(kind), product_(context.device().make_product(shape)) {}

  const char* kind() const override { return kind_; }
  std::string implementation() const override { return product_->describe(); }
  std::size_t scratch_bytes() const override { return product_->workspace_bytes(); }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override {
    product_->run(Stream::compute, inputs[0], inputs[1], outputs[0], scratch);
  }

 private:
  const char* kind_;
  std::unique_ptr<FloatProduct> product_;
};

/// Rows as images of one pixel.
Shape pixels(const Shape& rows) { return {rows[0], 1, 1, rows[1]}; }

}  // namespace

ProductShape product_shape(const Graph& graph, const Node& node) {
  using Kind = ProductShape::Kind;
  const TensorType &a = graph.type(node.inputs[0]), &b = graph.type(node.inputs[1]), &result = node.outputs[0];
  ProductShape shape{.kind = Kind::forward, .in = a.dtype, .out = result.dtype};
  switch (node.op) {
    case Op::dense:
      shape.src = pixels(a.shape);
      shape.weights = {1, 1, b.shape[0], b.shape[1]};
      shape.dst = pixels(result.shape);
      break;
    case Op::conv2d_grad_src:
      shape.kind = Kind::grad_src;
      shape.conv = node.as<Conv2dGrad>().conv;
      shape.src = result.shape;
      shape.weights = b.shape;
      shape.dst = a.shape;
      break;
    case Op::conv2d_grad_weights:
      shape.kind = Kind::grad_weights;
      shape.conv = node.as<Conv2dGrad>().conv;
      shape.src = a.shape;
      shape.weights = result.shape;
      shape.dst = b.shape;
      break;
    default:
      shape.conv = node.as<Conv2d>();
      shape.src = a.shape;
      shape.weights = b.shape;
      shape.dst = result.shape;
  }
  return shape;
}

namespace {

const char* kind_of(Op op) {
  switch (op) {
    case Op::dense:
      return "dense";
    case Op::conv2d_grad_src:
      return "conv2d backward data";
    case Op::conv2d_grad_weights:
      return "conv2d backward weights";
    default:
      return "conv2d forward";
  }
}

}  // namespace

std::unique_ptr<Kernel> make_float_product(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<ProductKernel>(kind_of(node.op), product_shape(graph, node), context);
}

std::unique_ptr<Kernel> make_integer_product(const Graph& graph, const Node& node, Context& context) {
  auto kernel = std::make_unique<IntegerConvolution>(context.device(), product_shape(graph, node),
                                                     IntegerConvolution::Weights::as_they_are);
  pack_once_if_constant(graph, node, kernel->operands(), context);
  return kernel;
}

void pack_once_if_constant(const Graph& graph, const Node& node, IntegerOperands& operands, Context& context) {
  const Node& weights = graph.nodes[node.inputs[1].node];
  if (weights.op != Op::tensor) return;
  operands.pack_once(context.tensor(graph.tensors[static_cast<std::size_t>(weights.as<Slot>().index)]));
}

}  // namespace qfw::cuda
