#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "code/arguments.cuh"
#include "device.h"

/// Of what an integer product is made, and into what tiles it is cut, before anything of a device is known but how many blocks
/// it runs at once.
namespace qfw::cuda {

/// One of the products that an integer convolution is made of.
struct ProductPart {
  device::Correlation geometry{};
  device::Packing packing{};
};

struct ProductParts {
  /// How they are formed.
  enum class Way {
    tiles,    ///< a block a tile of rows x columns
    groups,   ///< a thread some columns of groups of few channels
    channels  ///< the same where a group is one channel
  };
  Way way = Way::tiles;
  int group_in = 0, padded = 0;  ///< channels of a group that are read; as tiles read them
  std::vector<ProductPart> parts;
};

/// Of a convolution the whole; of a gradient a part for each remainder of pixels modulo the stride. `where` says of what, for
/// errors: an int counts pixels and channels.
ProductParts parts_of(const ProductShape& product, const std::string& where);

/// A tile of the product, and how its block works.
struct TileShape {
  int rows, columns;
  int warp_rows, warp_columns;      ///< a warp's part, where tensor cores multiply
  int stages;                       ///< of copies beside the multiplications: 48 KiB at most
  int thread_rows, thread_columns;  ///< a thread's part, where dot products do

  int warps() const { return rows / warp_rows * (columns / warp_columns); }
  int threads() const { return rows / thread_rows * (columns / thread_columns); }
};

/// A part in tiles.
struct TileCut {
  TileShape tile;
  int row_tiles, column_tiles;  ///< columns of one group
  int depth_tiles;              ///< of 64 bytes
  int depth_parts, part_tiles;  ///< the blocks that share out the depth, and how much of it each has

  /// Blocks that do not share out the depth.
  std::int64_t blocks(const device::Correlation& c) const { return std::int64_t{row_tiles} * column_tiles * c.groups; }
};

/// Tiles that keep so many multiprocessors busy.
TileCut cut(const device::Correlation& geometry, int multiprocessors);

/// Of a product whose tiles a fused group may ride on (riding_text.h) that of the whole; none of others: of several parts, not
/// in tiles, or with a depth that several blocks share out. The tiles are those for a device of a size that is assumed: how
/// sums of a group are taken follows from extents alone.
struct RiddenTiles {
  ProductPart part;
  TileCut cut;
};
std::optional<RiddenTiles> ridden_tiles(const ProductShape& product);

/// In device code the type of such a product (TiledProduct, code/convolution.cuh) and what is to be known of it on the host.
struct TileText {
  std::string type, step;  ///< what multiplies
  int threads = 0, word = 0;
  bool pairs = false;
};
TileText tile_text(const device::Correlation& geometry, const TileShape& tile, DType in, int architecture);

}  // namespace qfw::cuda
