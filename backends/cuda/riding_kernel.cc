#include "riding_kernel.h"

#include <fmt/format.h>

#include <algorithm>

#include "group_kernel.h"
#include "integer_convolution.h"
#include "product_kernel.h"
#include "riding_text.h"

namespace qfw::cuda {
namespace {

/// Of a group's inputs all but that which the product writes.
class Operands {
 public:
  Operands(const Graph& graph, int number, const lowering::Group& group)
      : of_product_(graph.nodes[number].inputs.size()),
        carried_(static_cast<int>(std::ranges::find(group.inputs, Use{number, 0}) - group.inputs.begin())) {}

  std::size_t of_product() const { return of_product_; }
  int carried() const { return carried_; }
  /// Of an input of the step that input of the group; -1 for one of the product.
  int of_group(int input) const {
    const int own = input - static_cast<int>(of_product_);
    return own < 0 ? -1 : own + (own >= carried_ ? 1 : 0);
  }

 private:
  std::size_t of_product_;
  int carried_;
};

class RidingKernel final : public Kernel {
 public:
  RidingKernel(const ProductShape& shape, const RiddenTiles& tiles, lowering::FusedProgram program, const Operands& which,
               std::span<const DType> inputs, std::span<const DType> outputs, Context& context)
      : kind_(IntegerConvolution::kind_of(shape)),
        device_(context.device()),
        which_(which),
        geometry_(tiles.part.geometry),
        program_(std::move(program)),
        operands_(device_, shape, parts_of(shape, IntegerConvolution::name_of(shape)), IntegerOperands::Weights::as_they_are,
                  IntegerConvolution::name_of(shape)),
        pointers_(inputs.size() + outputs.size()) {
    // Of the joining kernel from the fifth on.
    arguments_ = {nullptr, nullptr, &geometry_, &height_};
    for (const std::byte*& pointer : pointers_) arguments_.push_back(&pointer);
    arguments_.push_back(nullptr);
    const TileShape& tile = tiles.cut.tile;
    const TileText product = tile_text(geometry_, tile, shape.in, device_.properties().architecture);
    EmittedRiding emitted = emit_on_tiles(program_, which.carried(), inputs, outputs, tiles, product);
    height_ = emitted.height;
    partial_bytes_ = target().aligned(emitted.scratch_bytes);
    description_ = fmt::format("{} tiles of {}x{}, {}, {} bytes a copy, with its pass: {}", tiles.cut.blocks(geometry_),
                               tile.rows, tile.columns, product.step, product.word, emitted.describe);
    riding_ = launch_of(std::move(emitted.riding), context);
    if (emitted.joining) joining_ = launch_of(std::move(*emitted.joining), context);
  }

  IntegerOperands& operands() { return operands_; }

  const char* kind() const override { return kind_; }
  std::string implementation() const override { return description_ + operands_.describe(); }
  std::size_t scratch_bytes() const override { return partial_bytes_ + operands_.scratch_bytes(); }
  bool in_place(int input, int output) const override {
    const int own = which_.of_group(input);
    return own >= 0 && may_overwrite(program_, own, output);
  }

  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override {
    auto [images, weights] = operands_.prepare(inputs, scratch + partial_bytes_);
    auto next = std::ranges::copy(inputs.subspan(which_.of_product()), pointers_.begin()).out;
    next = std::ranges::copy(outputs, next).out;
    *next = scratch;
    arguments_[0] = &images;
    arguments_[1] = &weights;
    arguments_.back() = riding_.extents.data();
    device_.launch(Stream::compute, **riding_.function, riding_.shape, arguments_);
    if (!joining_.function) return;
    arguments_.back() = joining_.extents.data();
    device_.launch(Stream::compute, **joining_.function, joining_.shape, std::span(arguments_).subspan(4));
  }

 private:
  struct Launch {
    Loader::Handle function;
    LaunchShape shape;
    std::vector<std::int64_t> extents;
  };
  static Launch launch_of(EmittedLaunch emitted, Context& context) {
    return {context.loader().ask(std::move(emitted.source)), emitted.shape, std::move(emitted.extents)};
  }

  const char* kind_;
  Device& device_;
  Operands which_;
  device::Correlation geometry_;
  lowering::FusedProgram program_;
  IntegerOperands operands_;
  int height_ = 1;
  std::size_t partial_bytes_ = 0;
  std::string description_;
  Launch riding_, joining_;
  std::vector<const std::byte*> pointers_;  ///< inputs of the group but the carried one, outputs, scratch memory
  std::vector<void*> arguments_;
};

class ProductThenGroup final : public Kernel {
 public:
  ProductThenGroup(const Graph& graph, int number, const lowering::Group& group, std::string why, Context& context)
      : which_(graph, number, group),
        why_(std::move(why)),
        product_(make_integer_product(graph, graph.nodes[number], context)),
        group_(make_group(graph, group, context)),
        sums_bytes_(target().aligned(graph.nodes[number].outputs[0].bytes())),
        inputs_(group.inputs.size()) {}

  const char* kind() const override { return product_->kind(); }
  std::string implementation() const override {
    return fmt::format("{}, then its pass, as {}: {}", product_->implementation(), why_, group_->implementation());
  }
  std::size_t scratch_bytes() const override {
    return sums_bytes_ + std::max(product_->scratch_bytes(), group_->scratch_bytes());
  }
  bool in_place(int input, int output) const override {
    const int own = which_.of_group(input);
    return own >= 0 && group_->in_place(own, output);
  }

  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) override {
    const Address sums = scratch, rest = scratch + sums_bytes_;
    product_->enqueue(inputs.first(which_.of_product()), {&sums, 1}, rest);
    for (std::size_t i = which_.of_product(); i < inputs.size(); ++i) {
      inputs_[static_cast<std::size_t>(which_.of_group(static_cast<int>(i)))] = inputs[i];
    }
    inputs_[static_cast<std::size_t>(which_.carried())] = sums;
    group_->enqueue(inputs_, outputs, rest);
  }

 private:
  Operands which_;
  std::string why_;
  std::unique_ptr<Kernel> product_, group_;
  std::size_t sums_bytes_;
  std::vector<const std::byte*> inputs_;  ///< of the group
};

}  // namespace

bool may_be_ridden(const Graph& graph, const Node& node) {
  const bool product = node.op == Op::conv2d || node.op == Op::dense || node.op == Op::conv2d_grad_src;
  return product && !is_float(graph.type(node.inputs[0]).dtype) && ridden_tiles(product_shape(graph, node));
}

std::unique_ptr<Kernel> make_riding(const Graph& graph, int number, const lowering::Group& group, Context& context) {
  const Node& node = graph.nodes[number];
  const ProductShape shape = product_shape(graph, node);
  require_integer_products(context.device(), IntegerConvolution::name_of(shape));
  const Operands which(graph, number, group);
  std::string why;
  auto program = on_tiles(lowering::program_of(graph, group), which.carried(), node.outputs[0].shape.channels(), why);
  if (!program) return std::make_unique<ProductThenGroup>(graph, number, group, why, context);
  const auto types = [&](const std::vector<Use>& uses) {
    std::vector<DType> types;
    for (const Use use : uses) types.push_back(graph.type(use).dtype);
    return types;
  };
  auto kernel = std::make_unique<RidingKernel>(shape, ridden_tiles(shape).value(), std::move(*program), which,
                                               types(group.inputs), types(group.outputs), context);
  pack_once_if_constant(graph, node, kernel->operands(), context);
  return kernel;
}

}  // namespace qfw::cuda
