#pragma once

#include <cstdint>
#include <string>

#include "reductions.h"
#include "tiling.h"

namespace qfw::cpu {

/// The operands of one run: a pointer for each input and output of the group.
struct Operands {
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;
};

/// What a fused pass does to each tile. One object serves all threads of a run, told apart by their numbers; whatever makes it
/// (an interpreter, a code generator) takes sums to `Reductions` and changes no bit of any result.
class TileBody {
 public:
  TileBody() = default;
  TileBody(const TileBody&) = delete;
  TileBody& operator=(const TileBody&) = delete;
  virtual ~TileBody() = default;

  virtual std::string implementation() const = 0;  ///< for people: which of several ways it works
  /// Whether it asks for operands ahead of time itself.
  virtual bool reads_ahead() const { return false; }
  /// How many elements a tile should have, a multiple of tile_step: what it keeps of them stays in the first-level cache.
  virtual std::int64_t tile_elements() const = 0;
  /// Work per element, in instructions of about the same length: whether several threads are worth waking.
  virtual std::int64_t instructions() const = 0;
  /// Whether output may be written over input: same bytes per element, same index for index, read before it is written.
  virtual bool may_overwrite(int input, int output) const = 0;

  /// Once, before the first run: takes what memory it needs. Both outlive it.
  virtual void prepare(const Tiling& tiling, Reductions& reductions, int threads) = 0;
  /// Once per run by each thread: what does not vary from tile to tile.
  virtual void prologue(const Operands& operands, int thread) = 0;
  virtual void run(const Operands& operands, const Tile& tile, std::size_t chunk, int thread) = 0;
};

}  // namespace qfw::cpu
