#include "integer_convolution.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "launch.h"

namespace qfw::cuda {
namespace {

using device::Correlation;
using device::Packing;

constexpr int tile_depth = 64;       // bytes, as convolution.cuh has it
constexpr int least_part_tiles = 4;  // of the depth, where blocks share it out
constexpr std::size_t alignment = 256;

template <class Integer>
constexpr Integer divided_up(Integer value, Integer by) {
  return (value + by - 1) / by;
}
template <class Integer>
constexpr Integer rounded_up(Integer value, Integer to) {
  return divided_up(value, to) * to;
}

/// A tile of the product, and how its block works.
struct TileShape {
  int rows, columns;
  int warp_rows, warp_columns;      ///< a warp's part, where tensor cores multiply
  int stages;                       ///< of copies beside the multiplications: 48 KiB at most
  int thread_rows, thread_columns;  ///< a thread's part, where dot products do

  int warps() const { return rows / warp_rows * (columns / warp_columns); }
  int threads() const { return rows / thread_rows * (columns / thread_columns); }
};
constexpr TileShape large{128, 128, 64, 64, 3, 8, 8}, half{128, 64, 64, 32, 4, 8, 4}, narrow{128, 32, 32, 32, 4, 8, 4},
    small{64, 64, 32, 32, 4, 8, 4};

std::int64_t blocks_of(const Correlation& c, const TileShape& tile) {
  return std::int64_t{divided_up(c.rows, tile.rows)} * divided_up(c.group_out, tile.columns) * c.groups;
}

/// The widest tile whose columns waste least; where that leaves multiprocessors idle, a small one.
const TileShape& tile_for(const Correlation& c, int multiprocessors) {
  if (c.group_out <= narrow.columns) return narrow;
  const TileShape& wide = rounded_up(c.group_out, half.columns) < rounded_up(c.group_out, large.columns) ? half : large;
  return blocks_of(c, wide) < multiprocessors && blocks_of(c, small) > blocks_of(c, wide) ? small : wide;
}

/// Of a gradient the product of pixels (y, x) modulo the stride, of a convolution the whole. A gradient's pixel reads the
/// outputs that it was read for: taps apart by the stride, in reverse.
std::pair<Correlation, Packing> part_of(const ProductShape& product, int y, int x, const std::string& where) {
  const auto number = [&](std::int64_t extent, const char* what) { return as_int(extent, what, where); };
  const bool forward = product.kind == ProductShape::Kind::forward;
  const Shape &src = product.src, &weights = product.weights, &dst = product.dst;
  const Shape &read = forward ? src : dst, &written = forward ? dst : src;
  const std::int64_t groups = product.conv.groups, of_group[2] = {weights[2], weights[3] / groups};
  Correlation c{};
  Packing p{};
  const std::int64_t tap_stride[2] = {weights[1] * weights[2] * weights[3], weights[2] * weights[3]};
  std::int64_t grid[2];
  for (int axis = 0; axis < 2; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t stride = product.conv.stride[a], low = product.conv.padding.low[a], kernel = weights[axis];
    if (forward) {
      grid[axis] = dst[1 + axis];
      c.step[axis] = number(stride, "pixels of stride");
      c.low[axis] = number(low, "pixels of padding");
      c.taps[axis] = number(kernel, "taps");
      c.every[axis] = 1;
      p.tap[axis] = tap_stride[axis];
      continue;
    }
    const std::int64_t first = axis == 0 ? y : x, nearest = (first + low) % stride;
    const std::int64_t taps = nearest < kernel ? divided_up(kernel - nearest, stride) : 0;
    grid[axis] = first < src[1 + axis] ? divided_up(src[1 + axis] - first, stride) : 0;
    c.step[axis] = 1;
    c.low[axis] = number(taps - 1 - (first + low) / stride, "pixels of padding");
    c.taps[axis] = number(taps, "taps");
    c.first[axis] = static_cast<int>(first);
    c.every[axis] = number(stride, "pixels of stride");
    p.first += (nearest + (taps - 1) * stride) * tap_stride[axis];
    p.tap[axis] = -stride * tap_stride[axis];
  }
  if (c.taps[0] == 0 || c.taps[1] == 0) {  // only zeros
    c.taps[0] = 0;
    c.taps[1] = 1;
  }
  c.height = number(read[1], "rows");
  c.width = number(read[2], "columns");
  c.grid_height = number(grid[0], "rows");
  c.grid_width = number(grid[1], "columns");
  c.rows = number(read[0] * grid[0] * grid[1], "pixels");
  c.dst_height = number(written[1], "rows");
  c.dst_width = number(written[2], "columns");
  c.channels = number(read[3], "channels");
  c.groups = number(groups, "groups");
  p.group_in = c.group_in = number(of_group[forward ? 0 : 1], "channels");
  p.group_out = c.group_out = number(of_group[forward ? 1 : 0], "channels");
  p.columns = number(written[3], "channels");
  p.taps[0] = c.taps[0];
  p.taps[1] = c.taps[1];
  p.in = forward ? weights[3] : 1;
  p.out = forward ? 1 : weights[3];
  p.of_group = of_group[1];
  return {c, p};
}

}  // namespace

IntegerConvolution::IntegerConvolution(Device& device, const ProductShape& product, Weights weights)
    : device_(device),
      product_(product),
      where_(fmt::format("{} of {} with {}",
                         product.kind == ProductShape::Kind::forward ? "product" : "gradient of the operand",
                         TensorType{product.src, product.in}.str(), TensorType{product.weights, DType::s8}.str())),
      packed_(weights == Weights::packed) {
  if (device.properties().architecture < 61) {
    fail(Error::Category::usage, "cuda", device.properties().name + " has no dot product of bytes", where_,
         "set quantizer.arithmetic = fake_quant, or choose a GPU of compute capability 6.1 or more");
  }
  const bool forward = product.kind == ProductShape::Kind::forward;
  const Shape &read = forward ? product.src : product.dst, &written = forward ? product.dst : product.src;
  result_count_ = written.count();
  as_int(read[0] * read[1] * read[2], "pixels", where_);
  as_int(written[0] * written[1] * written[2], "pixels", where_);

  const Extent classes = forward ? Extent{1, 1} : product.conv.stride;
  for (int y = 0; y < classes[0]; ++y) {
    for (int x = 0; x < classes[1]; ++x) {
      const auto [geometry, packing] = part_of(product, y, x, where_);
      if (geometry.rows > 0 && packing.columns > 0) parts_.push_back({.geometry = geometry, .packing = packing});
    }
  }
  if (parts_.empty()) return;

  const Correlation& first = parts_.front().geometry;
  group_in_ = first.group_in;
  group_out_ = first.group_out;
  // A tile of groups of few channels would be mostly empty.
  if (first.groups > 1 && (group_in_ < 16 || group_out_ < 16)) way_ = Way::groups;
  if (way_ == Way::groups && group_in_ == 1 && group_out_ == 1 && first.groups % 4 == 0) way_ = Way::channels;
  padded_ = group_in_;
  if (way_ == Way::tiles && group_in_ % 4 != 0) {
    padded_ = rounded_up(group_in_, group_in_ > 48 ? 16 : 4);
    src_groups_ = as_int(read[0] * read[1] * read[2] * first.groups, "pixels x groups", where_);
    const std::int64_t bytes = std::int64_t{src_groups_} * padded_;
    padded_bytes_ = rounded_up(static_cast<std::size_t>(bytes), alignment);
    pad_shape_ = one_thread_each(bytes / 4, where_);
    pad_ =
        add(kernel_source("pad_channels_of_codes", "const u8* from, unsigned* to, int pixel_groups, int group_in, int padded",
                          "pad_channels(from, to, pixel_groups, group_in, padded);"));
  }
  for (Part& part : parts_) lay_out(part);
  if (adds_) {
    zero_shape_ = one_thread_each(std::min(result_count_, 1LL << 20), where_);
    zero_ = add(kernel_source("fill_zero_s32", "s32* to, long long count", "fill_zero(to, count);"));
  }
  const char* const packing = way_ == Way::tiles ? "tiles" : way_ == Way::groups ? "words" : "channels";
  pack_ = add(kernel_source(fmt::format("pack_{}_of_weights", packing),
                            fmt::format("const s8* weights, {}* to, Packing p", way_ == Way::groups ? "unsigned" : "s8"),
                            fmt::format("pack_{}(weights, to, p);", packing)));
  functions_ = device.load(sources_);
  sources_.clear();
}

std::size_t IntegerConvolution::add(KernelSource source) {
  const auto found = std::ranges::find(sources_, source.name, &KernelSource::name);
  const auto index = static_cast<std::size_t>(found - sources_.begin());
  if (found == sources_.end()) sources_.push_back(std::move(source));
  return index;
}

/// Where a part's packed weights lie, and both its launches.
void IntegerConvolution::lay_out(Part& part) {
  Correlation& c = part.geometry;
  Packing& p = part.packing;
  const std::int64_t taps = std::int64_t{c.taps[0]} * c.taps[1];
  std::int64_t bytes = 0;
  if (way_ == Way::tiles) {
    c.group_in = p.padded = padded_;
    c.channels = as_int(std::int64_t{c.groups} * padded_, "channels", where_);
    c.depth = p.depth = as_int(rounded_up<std::int64_t>(taps * padded_, 16), "products of a sum", where_);
    bytes = std::int64_t{p.columns} * p.depth;
    part.pack_shape = {
        .grid = {static_cast<unsigned>(divided_up(p.columns, 64)), static_cast<unsigned>(divided_up(p.depth, 64)), 1},
        .block = {threads_a_block, 1, 1},
        .barriers = true};
    part.function = add(cut_into_tiles(part));
  } else {
    p.padded = way_ == Way::groups ? rounded_up(group_in_, 4) : 1;
    bytes = taps * p.padded * p.columns;
    part.pack_shape = one_thread_each(way_ == Way::groups ? bytes / 4 : bytes, where_);
    part.function = add(share_out_strips(part));
  }
  part.packed_at = packed_bytes_;
  part.packed_bytes = static_cast<std::size_t>(bytes);
  packed_bytes_ += rounded_up(part.packed_bytes, alignment);
}

KernelSource IntegerConvolution::cut_into_tiles(Part& part) {
  const Correlation& c = part.geometry;
  const Device::Properties& device = device_.properties();
  const TileShape& tile = tile_for(c, device.multiprocessors);
  const std::int64_t blocks = blocks_of(c, tile);
  // Too few blocks share out the depth.
  const int tiles = divided_up(c.depth, tile_depth);
  const auto parts = static_cast<int>(std::clamp<std::int64_t>(divided_up<std::int64_t>(device.multiprocessors, blocks), 1,
                                                               std::max(1, tiles / least_part_tiles)));
  part.part_tiles = std::max(1, divided_up(tiles, parts));
  const int depth_parts = std::max(1, divided_up(tiles, part.part_tiles));
  adds_ = adds_ || depth_parts > 1;

  const bool tensor = device.architecture >= 75, asynchronous = device.architecture >= 80;
  const int threads = tensor ? 32 * tile.warps() : tile.threads(), stages = asynchronous ? tile.stages : 2;
  part.shape = {.grid = {static_cast<unsigned>(as_int(blocks / c.groups, "tiles", where_)), static_cast<unsigned>(c.groups),
                         static_cast<unsigned>(depth_parts)},
                .block = {static_cast<unsigned>(threads), 1, 1},
                .barriers = true};
  const char* const step = asynchronous ? "mma_16x8x32" : tensor ? "mma_8x8x16" : "dot4";
  const char* const type = name_of(product_.in);
  const int word = padded_ % 16 == 0 ? 16 : 4;
  part.implementation = fmt::format("{} tiles of {}x{}, {}, {} bytes a copy{}", blocks, tile.rows, tile.columns, step, word,
                                    depth_parts > 1 ? fmt::format(", depth in {} parts", depth_parts) : "");
  const bool pairs = c.group_out % 2 == 0;
  const std::string name = fmt::format("product_{}_{}x{}_{}_{}{}{}", type, tile.rows, tile.columns, step, word,
                                       pairs ? "" : "_odd", depth_parts > 1 ? "_added" : "");
  const std::string engine =
      tensor ? fmt::format("TensorTile<{}, {}, {}, {}, {}>", tile.rows, tile.columns, tile.warp_rows, tile.warp_columns,
                           asynchronous)
             : fmt::format("DotTile<{}, {}, {}, {}>", tile.rows, tile.columns, tile.thread_rows, tile.thread_columns);
  const std::string body = fmt::format(
      R"(using Product = TiledProduct<{}, {}, {}, {}, {}, {}>;
  static_assert(Product::threads == {});
  __shared__ __align__(128) u8 shared[Product::shared_bytes];
  {} epilogue{{to, c.groups * c.group_out}};
  Product::run(images, weights, c, part_tiles, epilogue, shared);)",
      engine, asynchronous ? "AsyncCopies" : "PlainCopies", stages, product_.in == DType::s8, word, pairs, threads,
      depth_parts > 1 ? "AddSums" : "StoreSums");
  return kernel_source(name, "const u8* images, const u8* weights, s32* to, Correlation c, int part_tiles", body, threads);
}

KernelSource IntegerConvolution::share_out_strips(Part& part) const {
  const Correlation& c = part.geometry;
  const int outputs = group_out_ % 4 == 0 || way_ == Way::channels ? 4 : 1;
  part.shape = one_thread_each(std::int64_t{divided_up(c.rows, 4)} * (part.packing.columns / outputs), where_);
  const bool is_signed = product_.in == DType::s8, whole_words = group_in_ % 4 == 0;
  const std::string type = name_of(product_.in);
  if (way_ == Way::channels) {
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

const char* IntegerConvolution::kind() const {
  if (product_.kind != ProductShape::Kind::forward) return "conv2d backward data integer";
  const bool dense = product_.src[1] * product_.src[2] == 1 && product_.weights[0] * product_.weights[1] == 1;
  return dense ? "dense integer" : "conv2d integer";
}

std::string IntegerConvolution::implementation() const {
  if (parts_.empty()) return "nothing to do";
  std::string text = parts_.front().implementation;
  if (parts_.size() > 1) text += fmt::format(" ({} products)", parts_.size());
  if (padded_bytes_ > 0) text += fmt::format(", channels padded to {}", padded_);
  return text + (packed_ ? ", packed once" : "");
}

std::size_t IntegerConvolution::scratch_bytes() const { return padded_bytes_ + (packed_ ? 0 : packed_bytes_); }

void IntegerConvolution::pack(const std::byte* weights, Address to) {
  for (const Part& part : parts_) {
    if (part.packed_bytes > 0) launch(device_, *functions_[pack_], part.pack_shape, weights, to + part.packed_at, part.packing);
  }
}

void IntegerConvolution::enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) {
  const std::byte *images = inputs[0], *weights = inputs[1];
  if (parts_.empty()) return;
  if (!packed_) {
    pack(weights, scratch + padded_bytes_);
    weights = scratch + padded_bytes_;
  }
  if (padded_bytes_ > 0) {
    launch(device_, *functions_[pad_], pad_shape_, images, scratch, src_groups_, group_in_, padded_);
    images = scratch;
  }
  if (adds_) launch(device_, *functions_[zero_], zero_shape_, outputs[0], result_count_);
  for (const Part& part : parts_) {
    const std::byte* const packed = weights + part.packed_at;
    if (way_ == Way::tiles) {
      launch(device_, *functions_[part.function], part.shape, images, packed, outputs[0], part.geometry, part.part_tiles);
    } else {
      launch(device_, *functions_[part.function], part.shape, images, packed, outputs[0], part.geometry);
    }
  }
}

}  // namespace qfw::cuda
