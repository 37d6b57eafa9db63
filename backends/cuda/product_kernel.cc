#include "product_kernel.h"

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

std::unique_ptr<Kernel> make_float_product(const Graph& graph, const Node& node, Context& context) {
  const TensorType &a = graph.type(node.inputs[0]), &b = graph.type(node.inputs[1]), &result = node.outputs[0];
  ProductShape shape{.kind = ProductShape::Kind::forward, .in = a.dtype, .out = result.dtype};
  const char* kind = "conv2d forward";
  switch (node.op) {
    case Op::dense:
      kind = "dense";
      shape.src = pixels(a.shape);
      shape.weights = {1, 1, b.shape[0], b.shape[1]};
      shape.dst = pixels(result.shape);
      break;
    case Op::conv2d_grad_src:
      kind = "conv2d backward data";
      shape.kind = ProductShape::Kind::grad_src;
      shape.conv = node.as<Conv2dGrad>().conv;
      shape.src = result.shape;
      shape.weights = b.shape;
      shape.dst = a.shape;
      break;
    case Op::conv2d_grad_weights:
      kind = "conv2d backward weights";
      shape.kind = ProductShape::Kind::grad_weights;
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
  return std::make_unique<ProductKernel>(kind, shape, context);
}

}  // namespace qfw::cuda
