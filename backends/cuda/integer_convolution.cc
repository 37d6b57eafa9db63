#include "integer_convolution.h"

#include <fmt/format.h>

#include <algorithm>

#include "launch.h"

namespace qfw::cuda {

using device::Correlation;
using Way = ProductParts::Way;

void require_integer_products(const Device& device, const std::string& where) {
  if (device.properties().architecture >= 61) return;
  fail(Error::Category::usage, "cuda", device.properties().name + " has no dot product of bytes", where,
       "set quantizer.arithmetic = fake_quant, or choose a GPU of compute capability 6.1 or more");
}

std::string IntegerConvolution::name_of(const ProductShape& product) {
  return fmt::format("{} of {} with {}", product.kind == ProductShape::Kind::forward ? "product" : "gradient of the operand",
                     TensorType{product.src, product.in}.str(), TensorType{product.weights, DType::s8}.str());
}

const char* IntegerConvolution::kind_of(const ProductShape& product) {
  if (product.kind != ProductShape::Kind::forward) return "conv2d backward data integer";
  const bool dense = product.src[1] * product.src[2] == 1 && product.weights[0] * product.weights[1] == 1;
  return dense ? "dense integer" : "conv2d integer";
}

IntegerConvolution::IntegerConvolution(Device& device, const ProductShape& product, Weights weights)
    : device_(device),
      product_(product),
      where_(name_of(product)),
      all_((require_integer_products(device, where_), parts_of(product, where_))),
      operands_(device, product, all_, weights, where_),
      result_count_((product.kind == ProductShape::Kind::forward ? product.dst : product.src).count()) {
  for (const ProductPart& of : all_.parts) {
    Part part{.geometry = of.geometry};
    part.function = add(all_.way == Way::tiles ? cut_into_tiles(part) : share_out_strips(part));
    parts_.push_back(std::move(part));
  }
  if (parts_.empty()) return;
  if (adds_) {
    zero_shape_ = one_thread_each(std::min(result_count_, 1LL << 20), where_);
    zero_ = add(kernel_source("fill_zero_s32", "s32* to, long long count", "fill_zero(to, count);"));
  }
  functions_ = device.load(sources_);
  sources_.clear();
}

std::size_t IntegerConvolution::add(KernelSource source) {
  const auto found = std::ranges::find(sources_, source.name, &KernelSource::name);
  const auto index = static_cast<std::size_t>(found - sources_.begin());
  if (found == sources_.end()) sources_.push_back(std::move(source));
  return index;
}

KernelSource IntegerConvolution::cut_into_tiles(Part& part) {
  const Correlation& c = part.geometry;
  const TileCut tiles = cut(c, device_.properties().multiprocessors);
  const TileShape& tile = tiles.tile;
  const TileText product = tile_text(c, tile, product_.in, device_.properties().architecture);
  const bool shared_out = tiles.depth_parts > 1;
  adds_ = adds_ || shared_out;
  part.part_tiles = tiles.part_tiles;
  part.shape = {.grid = {static_cast<unsigned>(as_int(tiles.blocks(c) / c.groups, "tiles", where_)),
                         static_cast<unsigned>(c.groups), static_cast<unsigned>(tiles.depth_parts)},
                .block = {static_cast<unsigned>(product.threads), 1, 1},
                .barriers = true};
  part.implementation =
      fmt::format("{} tiles of {}x{}, {}, {} bytes a copy{}", tiles.blocks(c), tile.rows, tile.columns, product.step,
                  product.word, shared_out ? fmt::format(", depth in {} parts", tiles.depth_parts) : "");
  const std::string name = fmt::format("product_{}_{}x{}_{}_{}{}{}", qfw::name_of(product_.in), tile.rows, tile.columns,
                                       product.step, product.word, product.pairs ? "" : "_odd", shared_out ? "_added" : "");
  const std::string body = fmt::format(
      R"(using Product = {};
  static_assert(Product::threads == {});
  __shared__ __align__(128) u8 shared[Product::shared_bytes];
  {} epilogue{{to, c.groups * c.group_out}};
  Product::run(images, weights, c, part_tiles, epilogue, shared);)",
      product.type, product.threads, shared_out ? "AddSums" : "StoreSums");
  return kernel_source(name, "const u8* images, const u8* weights, s32* to, Correlation c, int part_tiles", body,
                       product.threads);
}

KernelSource IntegerConvolution::share_out_strips(Part& part) const {
  const Correlation& c = part.geometry;
  const int outputs = c.group_out % 4 == 0 || all_.way == Way::channels ? 4 : 1;
  part.shape = one_thread_each((std::int64_t{c.rows} + 3) / 4 * (std::int64_t{c.groups} * c.group_out / outputs), where_);
  const bool is_signed = product_.in == DType::s8, whole_words = all_.group_in % 4 == 0;
  const std::string type = qfw::name_of(product_.in);
  if (all_.way == Way::channels) {
    part.implementation = "4 rows of 4 channels a thread";
    return kernel_source("product_of_channels_" + type, "const u8* images, const u8* weights, s32* to, Correlation c",
                         fmt::format("StoreSums epilogue{{to, c.groups}};\n"
                                     "  product_of_channels<{}>(images, weights, c, epilogue);",
                                     is_signed));
  }
  part.implementation = fmt::format("4 rows of {} columns a thread, dot4", outputs);
  return kernel_source(fmt::format("product_of_groups_{}_{}{}", type, outputs, whole_words ? "" : "_bytes"),
                       "const u8* images, const unsigned* weights, s32* to, Correlation c",
                       fmt::format("StoreSums epilogue{{to, c.groups * c.group_out}};\n"
                                   "  product_of_groups<{}, {}, {}>(images, weights, c, epilogue);",
                                   is_signed, outputs, whole_words));
}

std::string IntegerConvolution::implementation() const {
  if (parts_.empty()) return "nothing to do";
  std::string text = parts_.front().implementation;
  if (parts_.size() > 1) text += fmt::format(" ({} products)", parts_.size());
  return text + operands_.describe();
}

void IntegerConvolution::enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) {
  if (parts_.empty()) return;
  const auto [images, weights] = operands_.prepare(inputs, scratch);
  if (adds_) launch(device_, *functions_[zero_], zero_shape_, outputs[0], result_count_);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    const std::byte* const packed = weights + operands_.packed_at(i);
    if (all_.way == Way::tiles) {
      launch(device_, *functions_[part.function], part.shape, images, packed, outputs[0], part.geometry, part.part_tiles);
    } else {
      launch(device_, *functions_[part.function], part.shape, images, packed, outputs[0], part.geometry);
    }
  }
}

}  // namespace qfw::cuda
