#include "product_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "launch.h"

namespace qfw::cuda {
namespace {

using device::Correlation;
using device::Packing;

constexpr int tile_depth = 64;       // bytes, as convolution.cuh has it
constexpr int least_part_tiles = 4;  // of the depth, where blocks share it out
// About what large devices have, for products that groups ride on.
constexpr int assumed_multiprocessors = 128;

constexpr TileShape large{128, 128, 64, 64, 3, 8, 8}, half{128, 64, 64, 32, 4, 8, 4}, narrow{128, 32, 32, 32, 4, 8, 4},
    small{64, 64, 32, 32, 4, 8, 4};

template <class Integer>
constexpr Integer divided_up(Integer value, Integer by) {
  return (value + by - 1) / by;
}
template <class Integer>
constexpr Integer rounded_up(Integer value, Integer to) {
  return divided_up(value, to) * to;
}

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
ProductPart part_of(const ProductShape& product, int y, int x, const std::string& where) {
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

ProductParts parts_of(const ProductShape& product, const std::string& where) {
  using Way = ProductParts::Way;
  const bool forward = product.kind == ProductShape::Kind::forward;
  const Shape &read = forward ? product.src : product.dst, &written = forward ? product.dst : product.src;
  as_int(read[0] * read[1] * read[2], "pixels", where);
  as_int(written[0] * written[1] * written[2], "pixels", where);
  ProductParts all;
  const Extent classes = forward ? Extent{1, 1} : product.conv.stride;
  for (int y = 0; y < classes[0]; ++y) {
    for (int x = 0; x < classes[1]; ++x) {
      ProductPart part = part_of(product, y, x, where);
      if (part.geometry.rows > 0 && part.packing.columns > 0) all.parts.push_back(part);
    }
  }
  if (all.parts.empty()) return all;
  const Correlation& first = all.parts.front().geometry;
  all.padded = all.group_in = first.group_in;
  // A tile of groups of few channels would be mostly empty.
  if (first.groups > 1 && (first.group_in < 16 || first.group_out < 16)) all.way = Way::groups;
  if (all.way == Way::groups && first.group_in == 1 && first.group_out == 1 && first.groups % 4 == 0) all.way = Way::channels;
  if (all.way == Way::tiles && all.group_in % 4 != 0) all.padded = rounded_up(all.group_in, all.group_in > 48 ? 16 : 4);
  for (auto& [c, p] : all.parts) {
    p.padded = all.way == Way::groups ? rounded_up(all.group_in, 4) : all.way == Way::channels ? 1 : all.padded;
    if (all.way != Way::tiles) continue;
    c.group_in = all.padded;
    c.channels = as_int(std::int64_t{c.groups} * all.padded, "channels", where);
    c.depth = p.depth =
        as_int(rounded_up<std::int64_t>(std::int64_t{c.taps[0]} * c.taps[1] * all.padded, 16), "products of a sum", where);
  }
  return all;
}

TileCut cut(const Correlation& c, int multiprocessors) {
  const TileShape& tile = tile_for(c, multiprocessors);
  const std::int64_t blocks = blocks_of(c, tile);
  // Too few blocks share out the depth.
  const int tiles = divided_up(c.depth, tile_depth);
  const auto parts = static_cast<int>(
      std::clamp<std::int64_t>(divided_up<std::int64_t>(multiprocessors, blocks), 1, std::max(1, tiles / least_part_tiles)));
  const int part_tiles = std::max(1, divided_up(tiles, parts));
  return {.tile = tile,
          .row_tiles = divided_up(c.rows, tile.rows),
          .column_tiles = divided_up(c.group_out, tile.columns),
          .depth_tiles = tiles,
          .depth_parts = std::max(1, divided_up(tiles, part_tiles)),
          .part_tiles = part_tiles};
}

std::optional<RiddenTiles> ridden_tiles(const ProductShape& product) try {
  const ProductParts all = parts_of(product, {});
  if (all.way != ProductParts::Way::tiles || all.parts.size() != 1) return std::nullopt;
  const TileCut tiles = cut(all.parts[0].geometry, assumed_multiprocessors);
  if (tiles.depth_parts > 1) return std::nullopt;
  return RiddenTiles{all.parts[0], tiles};
} catch (const Error&) {  // it is too large: told when its kernel is made, with the layer
  return std::nullopt;
}

TileText tile_text(const Correlation& c, const TileShape& tile, DType in, int architecture) {
  const bool tensor = architecture >= 75, asynchronous = architecture >= 80;
  TileText text{.type = {},
                .step = asynchronous ? "mma_16x8x32"
                        : tensor     ? "mma_8x8x16"
                                     : "dot4",
                .threads = tensor ? 32 * tile.warps() : tile.threads(),
                .word = c.group_in % 16 == 0 ? 16 : 4,
                .pairs = c.group_out % 2 == 0};
  const std::string engine =
      tensor ? fmt::format("TensorTile<{}, {}, {}, {}, {}>", tile.rows, tile.columns, tile.warp_rows, tile.warp_columns,
                           asynchronous)
             : fmt::format("DotTile<{}, {}, {}, {}>", tile.rows, tile.columns, tile.thread_rows, tile.thread_columns);
  text.type = fmt::format("TiledProduct<{}, {}, {}, {}, {}, {}>", engine, asynchronous ? "AsyncCopies" : "PlainCopies",
                          asynchronous ? tile.stages : 2, in == DType::s8, text.word, text.pairs);
  return text;
}

}  // namespace qfw::cuda
