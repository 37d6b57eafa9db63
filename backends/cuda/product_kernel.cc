#include "product_kernel.h"

#include <array>

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

/// Of weights that never change.
class PackedProduct final : public Kernel {
 public:
  PackedProduct(const ProductShape& shape, const ConstantTensor& weights, Context& context)
      : product_(context.device(), shape, IntegerConvolution::Weights::packed),
        packed_(context.device(), product_.packed_bytes()),
        weights_(context.tensor(weights)) {
    product_.pack(weights_->data(), packed_.data());
  }

  const char* kind() const override { return product_.kind(); }
  std::string implementation() const override { return product_.implementation(); }
  std::size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override {
    const std::array<const std::byte*, 2> operands{inputs[0], packed_.data()};
    product_.enqueue(operands, outputs, scratch);
  }

 private:
  IntegerConvolution product_;
  DeviceMemory packed_;
  std::shared_ptr<const DeviceMemory> weights_;  // read by what is still to run
};

/// Rows as images of one pixel.
Shape pixels(const Shape& rows) { return {rows[0], 1, 1, rows[1]}; }

/// A node as the convolution it belongs to.
ProductShape shape_of(const Graph& graph, const Node& node) {
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
  return std::make_unique<ProductKernel>(kind_of(node.op), shape_of(graph, node), context);
}

std::unique_ptr<Kernel> make_integer_product(const Graph& graph, const Node& node, Context& context) {
  const ProductShape shape = shape_of(graph, node);
  const Node& weights = graph.nodes[node.inputs[1].node];
  if (weights.op == Op::tensor) {
    const auto& tensor = graph.tensors[static_cast<std::size_t>(weights.as<Slot>().index)];
    return std::make_unique<PackedProduct>(shape, tensor, context);
  }
  return std::make_unique<IntegerConvolution>(context.device(), shape, IntegerConvolution::Weights::as_they_are);
}

}  // namespace qfw::cuda
