#pragma once

#include <vector>

#include "aligned_floats.h"
#include "tile_body.h"
#include "tile_program.h"

namespace qfw::cpu {

/// Runs a tile program instruction by instruction, each a loop over a tile's buffers in the first-level cache.
class Interpreter final : public TileBody {
 public:
  /// The program outlives it.
  explicit Interpreter(const lowering::FusedProgram& program);

  std::string implementation() const override { return std::string("interpreted by ") + ops_.name; }
  std::int64_t tile_elements() const override;
  std::int64_t instructions() const override { return static_cast<std::int64_t>(program_.body.size()); }
  bool may_overwrite(int input, int output) const override;
  void prepare(const Tiling& tiling, Reductions& reductions, int threads) override {
    prepare(tiling, reductions, threads, tiling.tile_floats());
  }
  /// For tiles of at most so many floats, their padding included.
  void prepare(const Tiling& tiling, Reductions& reductions, int threads, std::int64_t tile_floats);
  void prologue(const Operands& operands, int thread) override;
  void run(const Operands& operands, const Tile& tile, std::size_t chunk, int thread) override;

  /// After a prologue: rows, from a column on, and single numbers, by value of the program.
  const float* const* values(int thread, std::int64_t col) {
    move_rows(thread, col);
    return own_pointers(thread);
  }

 private:
  float* floats(int thread) const { return scratch_.data() + thread * thread_floats_; }
  std::size_t pointer_stride() const { return (program_.values.size() + 15) / 8 * 8; }
  float** own_pointers(int thread) { return &pointers_[thread * pointer_stride()]; }
  float** own_rows(int thread) { return &rows_[thread * pointer_stride()]; }
  bool lies_as_needed(const TileLoad& load) const;
  float* full_buffer(int thread, int value) const { return floats(thread) + program_.values[value].buffer * tile_floats_; }
  void move_rows(int thread, std::int64_t col);
  void load_small(const Operands& operands, const TileLoad& load, bool row, float* to) const;
  TileKind kind_of(int a, int b) const;
  void execute(const TileInstruction& instruction, float* const* pointer, std::int64_t rows, std::int64_t cols) const;
  void load(const void* base, const TileLoad& load, const Tile& tile, float*& pointer, float* buffer) const;
  void load_strided(const void* base, const TileLoad& load, const Tile& tile, float* buffer) const;
  void store(void* base, const TileStore& store, const Tile& tile, const float* from) const;

  const lowering::FusedProgram& source_;
  TileProgram program_;
  const TileOps& ops_ = tile_ops();
  const Tiling* tiling_ = nullptr;
  Reductions* reductions_ = nullptr;
  std::int64_t tile_floats_ = 0, thread_floats_ = 0;
  std::int64_t rows_at_ = 0, scalars_at_ = 0;  ///< within a thread's floats
  AlignedFloats scratch_;
  std::vector<float*> pointers_;   ///< of all threads, by value
  std::vector<float*> rows_;       ///< the same: where rows begin
  std::vector<int> rows_in_body_;  ///< values whose pointer moves with the tile's column
};

}  // namespace qfw::cpu
