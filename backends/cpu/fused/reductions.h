#pragma once

#include <cstdint>
#include <vector>

#include "aligned_floats.h"
#include "qfw/lowering/program.h"
#include "tile_ops.h"
#include "tiling.h"

namespace qfw::cpu {

/// Sums, extremes and moments of a fused pass, from tile to result (the contract: docs/numerics.md). What each chunk adds up,
/// in blocks of rows, is joined in the order of chunks: equal bits for any number of threads, any instruction set, any size of
/// tiles.
class Reductions {
 public:
  /// Both outlive it.
  Reductions(const lowering::FusedProgram& program, const Tiling& tiling, int threads);

  bool empty() const { return program_.reductions.empty(); }

  void begin_run();
  void begin_chunk(std::size_t chunk, int thread);
  /// A tile's values to reduction `r`: rows of tile.pitch floats, whose padding it may overwrite. Tiles of a chunk in their
  /// order.
  void add(std::size_t r, const Tile& tile, float* x, std::size_t chunk, int thread);
  /// Where code that adds up by itself finds what it adds to, instead of add(): of each column from `col` on, or of lanes (a
  /// sum over everything: column modulo tile_step).
  struct Place {
    double *sums, *squares;  ///< of moments: without the pivot
    float* floats;           ///< the pivots of moments, to be set in a chunk's first row; the extremes so far
  };
  Place place(std::size_t r, std::size_t chunk, int thread, std::int64_t col);
  /// An extreme of a strided reduction that code has found among `count` numbers, to the result at this place.
  void take_extreme(std::size_t r, std::int64_t result, const float* x, std::int64_t count);
  void end_chunk(std::size_t chunk, int thread);
  /// The results to the outputs, when all chunks are done; `part` of `parts` of each.
  void finish(int part, int parts, void* const* outputs) const;

 private:
  using Reduction = lowering::FusedProgram::Reduction;

  /// Where a reduction's accumulators lie.
  struct Accumulators {
    std::int64_t offset = 0;  ///< in a chunk's doubles, or in the shared ones
    std::int64_t floats = 0;  ///< in a chunk's floats: the pivots of moments; in a thread's: the extremes so far
    std::int64_t width = 1;   ///< of one set; moments have two
    bool shared = false;
  };

  double* sums_of(std::size_t chunk, const Accumulators& a);
  const double* sums_of(std::size_t chunk, const Accumulators& a) const;
  float* pivots_of(std::size_t chunk, const Accumulators& a) { return &pivots_[chunk * chunk_floats_ + a.floats]; }
  const float* pivots_of(std::size_t chunk, const Accumulators& a) const { return &pivots_[chunk * chunk_floats_ + a.floats]; }
  float* extremes_of(int thread, const Accumulators& a) { return extremes_.data() + thread * thread_floats_ + a.floats; }
  void add_rows(std::size_t r, const Tile& tile, float* x, std::size_t chunk, int thread);
  void add_all(std::size_t r, const Tile& tile, const float* x, std::size_t chunk, int thread);
  double extreme_of(Reduction::Kind kind, const float* x, std::int64_t count) const;
  void add_strided(const Reduction& reduction, const Tile& tile, const float* x, double* sum) const;
  void finish_moments(std::size_t r, std::int64_t i, void* const* outputs) const;
  double total_of(std::size_t r, std::int64_t i) const;

  const lowering::FusedProgram& program_;
  const Tiling& tiling_;
  const TileOps& ops_ = tile_ops();
  std::vector<Accumulators> accumulators_;
  std::int64_t chunk_doubles_ = 0, shared_doubles_ = 0, chunk_floats_ = 0, thread_floats_ = 0;
  std::vector<double> sums_;   ///< of all chunks, then the shared ones
  std::vector<float> pivots_;  ///< of all chunks
  AlignedFloats extremes_;     ///< of all threads
};

}  // namespace qfw::cpu
