#pragma once

#include <cstdint>
#include <vector>

#include "aligned_floats.h"
#include "qfw/lowering/program.h"
#include "tile_ops.h"
#include "tiling.h"

namespace qfw::cpu {

/// Sums, extremes and moments of a fused pass, from tile to result. Equal bits for any number of threads: each chunk has sums
/// of its own, which are joined in their order.
class Reductions {
 public:
  /// Both outlive it.
  Reductions(const lowering::FusedProgram& program, const Tiling& tiling, int threads);

  bool empty() const { return program_.reductions.empty(); }

  void begin_run();
  void begin_thread(int thread);
  void begin_chunk(std::size_t chunk);
  /// A tile's values to reduction `r`: rows of tile.pitch floats, whose padding it may overwrite.
  void add(std::size_t r, const Tile& tile, float* x, std::size_t chunk, int thread);
  /// Joins a thread's partial rows to the chunk's sums.
  void flush(std::size_t chunk, int thread);
  /// The chunks' sums, in their order, to the outputs; `part` of `parts` of every result.
  void finish(int part, int parts, void* const* outputs) const;

 private:
  using Reduction = lowering::FusedProgram::Reduction;

  /// Where a reduction's accumulators lie.
  struct Accumulators {
    std::int64_t offset = 0;   ///< in a chunk's doubles, or in the shared ones
    std::int64_t partial = 0;  ///< in a thread's floats
    std::int64_t width = 1;    ///< of one set; moments have two
    bool shared = false;
  };

  double* sums_of(std::size_t chunk, const Accumulators& a);
  const double* sums_of(std::size_t chunk, const Accumulators& a) const;
  float* partials_of(int thread, const Accumulators& a) { return partials_.data() + thread * thread_floats_ + a.partial; }
  void reset_partials(std::size_t r, int thread);
  void add_rows(std::size_t r, const Tile& tile, float* x, float* partial, double* sum);
  void add_all(const Reduction& reduction, const Tile& tile, const float* x, double* sum) const;
  void add_strided(const Reduction& reduction, const Tile& tile, const float* x, double* sum) const;
  double total_of(std::size_t r, std::int64_t i, int set) const;

  const lowering::FusedProgram& program_;
  const Tiling& tiling_;
  const TileOps& ops_ = tile_ops();
  std::vector<Accumulators> accumulators_;
  std::int64_t chunk_doubles_ = 0, shared_doubles_ = 0, thread_floats_ = 0;
  std::vector<double> sums_;  ///< of all chunks, then the shared ones
  AlignedFloats partials_;    ///< of all threads
};

}  // namespace qfw::cpu
