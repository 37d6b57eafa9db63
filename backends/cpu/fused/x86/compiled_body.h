#pragma once

#include <memory>
#include <string>
#include <vector>

#include "../interpreter.h"
#include "../tile_body.h"
#include "compiled_pass.h"

namespace qfw::cpu::x86 {

/// A fused pass as machine code. Columns beyond the last whole step of a tile, and what rows and numbers need once a run, are
/// the interpreter's.
class CompiledBody final : public TileBody {
 public:
  /// The program outlives it. Null where `why` says what cannot be compiled.
  static std::unique_ptr<TileBody> make(const lowering::FusedProgram& program, Level level, std::string& why);

  CompiledBody(const lowering::FusedProgram& program, Passes passes, std::shared_ptr<const CompiledPass> code);

  std::string implementation() const override { return code_->name(); }
  bool reads_ahead() const override { return true; }
  std::int64_t tile_elements() const override;
  std::int64_t instructions() const override;
  bool may_overwrite(int input, int output) const override;
  void prepare(const Tiling& tiling, Reductions& reductions, int threads) override;
  void prologue(const Operands& operands, int thread) override;
  void run(const Operands& operands, const Tile& tile, std::size_t chunk, int thread) override;

 private:
  /// What a thread tells the code, beside what it is called with.
  struct Own {
    std::vector<const std::byte*> lines;         ///< where rows begin, a list behind the other
    std::vector<const std::byte* const*> lists;  ///< by number: its first
    std::vector<double*> sums;
    std::vector<float*> floats;
    AlignedFloats spilled;
    AlignedFloats extremes;                          ///< of rows: a set of lanes for each result that the tile meets
    std::vector<std::vector<std::int64_t>> results;  ///< which these are, by reduction
  };

  void run_whole(const Operands& operands, const Tile& tile, std::size_t chunk, int thread);
  void find_lines(const Operands& operands, const Tile& tile, Own& own) const;
  void find_extremes(const Tile& tile, Own& own) const;
  std::int64_t first_use(int value) const;

  const lowering::FusedProgram& source_;
  Passes passes_;
  std::shared_ptr<const CompiledPass> code_;
  Interpreter interpreter_;
  bool spills_ = false, row_by_row_ = false;
  const Tiling* tiling_ = nullptr;
  Reductions* reductions_ = nullptr;
  std::int64_t spilled_floats_ = 0;  ///< of one reduction
  std::vector<Own> own_;             ///< by thread
};

}  // namespace qfw::cpu::x86
