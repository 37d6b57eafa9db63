#pragma once

#include <optional>
#include <span>
#include <string>

#include "emit.h"
#include "product_parts.h"

/// A fused group on the output tiles of an integer product, as CUDA C++: the sums of a tile go to shared memory and from there
/// through the group's ops, so that memory sees only what the group stores.
namespace qfw::cuda {

/// The group's program over the rows of the product and its `columns`, which its last axis then is; none, and why, if it cannot
/// ride. `carried` is the input that the product writes.
std::optional<lowering::FusedProgram> on_tiles(lowering::FusedProgram program, int carried, std::int64_t columns,
                                               std::string& why);

struct EmittedRiding {
  /// Its parameters: images and packed weights, a Correlation, an int (`height`), then what every kernel of a group has
  /// (EmittedLaunch) without the carried input.
  EmittedLaunch riding;
  std::optional<EmittedLaunch> joining;  ///< of partial results, if there are several: as a group's, without that input
  int height = 1;                        ///< tiles below each other that a block takes
  std::size_t scratch_bytes = 0;         ///< of partial results
  std::string describe;                  ///< for people
};

/// `program` is what on_tiles() made. Elements have the bits that they have without riding. Sums are taken down the rows of a
/// tile as down any rows (emit.h); how tiles are shared out to blocks, whose partial results a second kernel joins, follows
/// from extents alone.
EmittedRiding emit_on_tiles(const lowering::FusedProgram& program, int carried, std::span<const DType> inputs,
                            std::span<const DType> outputs, const RiddenTiles& tiles, const TileText& product);

}  // namespace qfw::cuda
