#include "compiled_body.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace qfw::cpu::x86 {
namespace {

using lowering::FusedProgram;
using Kind = TileInstruction::Kind;
using Way = Pass::Way;

constexpr auto step = static_cast<std::int64_t>(tile_step);
constexpr std::int64_t most_elements = 32768;    // of a tile: calls and lists of rows cost nothing beside it
constexpr std::int64_t spilled_elements = 2048;  // where values go through memory: they stay in the first-level cache
constexpr std::int64_t rest_rows = 64;           // that the interpreter gets at once; whole blocks

std::int64_t whole_steps(std::int64_t cols) { return cols / step * step; }

}  // namespace

std::unique_ptr<TileBody> CompiledBody::make(const FusedProgram& program, Level level, std::string& why) {
  Passes passes;
  if (knows_rows(program) && !joins_rows(program) && program.space.cols() < step) {
    why = "rows shorter than a vector";
    return nullptr;
  }
  if (!make_passes(program, compile_tiles(program), passes, why)) return nullptr;
  auto code = CompiledPass::of(passes, level, why);
  if (code == nullptr) return nullptr;
  return std::make_unique<CompiledBody>(program, std::move(passes), std::move(code));
}

CompiledBody::CompiledBody(const FusedProgram& program, Passes passes, std::shared_ptr<const CompiledPass> code)
    : source_(program), passes_(std::move(passes)), code_(std::move(code)), interpreter_(program) {
  for (const Pass::Reduced& r : passes_.whole.reduced) spills_ = spills_ || r.way == Way::spilled;
  // Where one sum takes a row's steps and then its rest, a row is finished before the next one.
  row_by_row_ = std::ranges::any_of(program.reductions, [&](const auto& r) { return !is_by_column(program, r); });
}

std::int64_t CompiledBody::tile_elements() const { return spills_ ? spilled_elements : most_elements; }

std::int64_t CompiledBody::instructions() const {
  constexpr std::int64_t faster = 3;  // than the interpreter's, which the unit is
  return std::max<std::int64_t>(1, interpreter_.instructions() / faster);
}

std::int64_t CompiledBody::first_use(int value) const {
  const auto& body = passes_.whole.program.body;
  const auto reads = [&](const TileInstruction& i) { return i.a == value || i.b == value || i.c == value; };
  return std::ranges::find_if(body, reads) - body.begin();
}

bool CompiledBody::may_overwrite(int input, int output) const {
  if (!interpreter_.may_overwrite(input, output)) return false;
  const TileProgram& program = passes_.whole.program;
  std::int64_t written = 0;
  for (std::size_t k = 0; k < program.body.size(); ++k) {
    const TileInstruction& i = program.body[k];
    if (i.kind == Kind::store && program.stores[i.index].output == output) written = static_cast<std::int64_t>(k);
  }
  // Loads happen where their value is first read.
  return std::ranges::all_of(program.loads,
                             [&](const TileLoad& load) { return load.input != input || first_use(load.value) <= written; });
}

void CompiledBody::prepare(const Tiling& tiling, Reductions& reductions, int threads) {
  tiling_ = &tiling;
  reductions_ = &reductions;
  const bool has_rest = tiling.cols % step != 0 || tiling.cols_of(tiling.rows - 1) % step != 0;
  interpreter_.prepare(tiling, reductions, threads, has_rest ? rest_rows * step : 0);
  const Pass& pass = passes_.whole;
  const std::int64_t rows = pass.flat ? 1 : tiling.tile_rows;
  const bool several = pass.flat && tiling.tile_rows > 1;
  spilled_floats_ = several ? tiling.tile_rows * tiling.cols : tiling.tile_floats();
  own_.resize(threads);
  for (Own& own : own_) {
    own.lines.resize(pass.lines * rows);
    for (int line = 0; line < pass.lines; ++line) own.lists.push_back(own.lines.data() + line * rows);
    own.sums.resize(2 * pass.reduced.size());
    own.floats.resize(pass.reduced.size());
    const auto spilled = std::ranges::count_if(pass.reduced, [](const Pass::Reduced& r) { return r.way == Way::spilled; });
    own.spilled = AlignedFloats(spilled * spilled_floats_);
    const auto of_rows = std::ranges::count_if(pass.reduced, [](const Pass::Reduced& r) { return r.way == Way::rows; });
    own.extremes = AlignedFloats(of_rows * rows * row_lanes);
    own.results.resize(pass.reduced.size());
    for (auto& results : own.results) results.reserve(of_rows > 0 ? rows : 0);
  }
}

void CompiledBody::prologue(const Operands& operands, int thread) { interpreter_.prologue(operands, thread); }

void CompiledBody::run(const Operands& operands, const Tile& tile, std::size_t chunk, int thread) {
  const std::int64_t whole = whole_steps(tile.cols), rest = tile.cols - whole;
  const std::int64_t at_once = rest == 0 ? tile.rows : row_by_row_ ? 1 : rest_rows;
  for (std::int64_t row = 0; row < tile.rows; row += at_once) {
    const std::int64_t rows = std::min(at_once, tile.rows - row);
    if (whole > 0) run_whole(operands, tiling_->tile(tile.row + row, tile.col, rows, whole), chunk, thread);
    if (rest > 0) interpreter_.run(operands, tiling_->tile(tile.row + row, tile.col + whole, rows, rest), chunk, thread);
  }
}

void CompiledBody::run_whole(const Operands& operands, const Tile& tile, std::size_t chunk, int thread) {
  const Pass& pass = passes_.whole;
  Own& own = own_[thread];
  find_lines(operands, tile, own);
  find_extremes(tile, own);
  for (std::size_t r = 0; r < pass.reduced.size(); ++r) {
    if (pass.reduced[r].way == Way::spilled || pass.reduced[r].way == Way::rows) continue;
    const Reductions::Place place = reductions_->place(r, chunk, thread, tile.col);
    own.sums[2 * r] = place.sums;
    own.sums[2 * r + 1] = place.squares;
    own.floats[r] = place.floats;
  }
  Piece piece{.inputs = operands.inputs,
              .outputs = operands.outputs,
              .values = interpreter_.values(thread, tile.col),
              .lines = own.lists.data(),
              .sums = own.sums.data(),
              .floats = own.floats.data(),
              .first = tile.first,
              .rows = pass.flat ? 1 : tile.rows,
              .cols = pass.flat ? tile.rows * tile.cols : tile.cols,
              .pitch = tiling_->cols};
  if (pass.has_pivots && tile.row == tiling_->chunks[chunk].first_row) {
    Piece first = piece;
    first.rows = 1;
    code_->pivots()(&first);
  }
  code_->whole()(&piece);
  float* spilled = own.spilled.data();
  const float* extremes = own.extremes.data();
  for (std::size_t r = 0; r < pass.reduced.size(); ++r) {
    if (pass.reduced[r].way == Way::spilled) {
      reductions_->add(r, tile, spilled, chunk, thread);
      spilled += spilled_floats_;
    } else if (pass.reduced[r].way == Way::rows) {
      for (std::size_t i = 0; i < own.results[r].size(); ++i) {
        reductions_->take_extreme(r, own.results[r][i], extremes + i * row_lanes, row_lanes);
      }
      extremes += tiling_->tile_rows * row_lanes;
    }
  }
}

void CompiledBody::find_lines(const Operands& operands, const Tile& tile, Own& own) const {
  const Pass& pass = passes_.whole;
  const std::int64_t rows = pass.flat ? 1 : tile.rows, room = pass.flat ? 1 : tiling_->tile_rows;
  for (std::size_t l = 0; l < pass.loads.size(); ++l) {
    const Pass::Load& load = pass.loads[l];
    if (load.line < 0) continue;
    const auto& strides = pass.program.loads[l].strides;
    const auto* base = static_cast<const std::byte*>(operands.inputs[load.input]);
    const std::int64_t col = load.one ? 0 : tile.col, size = static_cast<std::int64_t>(size_of(load.dtype));
    // Rows follow each other at one distance until the innermost of their axes ends.
    const auto axis = static_cast<std::int64_t>(source_.space.extents.size()) - 2;
    const std::int64_t along = axis < 0 ? 1 : source_.space.extents[axis], distance = axis < 0 ? 0 : strides[axis] * size;
    for (std::int64_t row = 0, last = 0; row < rows; row = last) {
      last = std::min(rows, (tile.row + row) / along * along + along - tile.row);
      const std::byte* line = base + (offset_of_row(source_.space, tile.row + row, strides) + col) * size;
      for (std::int64_t i = row; i < last; ++i, line += distance) own.lines[load.line * room + i] = line;
    }
  }
  const float* spilled = own.spilled.data();
  for (const Pass::Reduced& r : pass.reduced) {
    if (r.way != Way::spilled) continue;
    for (std::int64_t row = 0; row < rows; ++row) {
      own.lines[r.line * room + row] = reinterpret_cast<const std::byte*>(spilled + row * tile.cols);
    }
    spilled += spilled_floats_;
  }
}

/// For the maxima of rows, which have nothing yet: rows that share a result share its lanes.
void CompiledBody::find_extremes(const Tile& tile, Own& own) const {
  const std::vector<Pass::Reduced>& reduced = passes_.whole.reduced;
  float* extremes = own.extremes.data();
  for (std::size_t r = 0; r < reduced.size(); ++r) {
    if (reduced[r].way != Way::rows) continue;
    const lowering::Strides& strides = source_.reductions[r].strides;
    const std::int64_t share = rows_that_share(source_.space, strides);
    float* lanes = extremes;
    own.results[r].clear();
    for (std::int64_t row = 0, last = 0; row < tile.rows; row = last, lanes += row_lanes) {
      last = std::min(tile.rows, (tile.row + row) / share * share + share - tile.row);
      own.results[r].push_back(offset_of_row(source_.space, tile.row + row, strides));
      std::fill_n(lanes, row_lanes, -std::numeric_limits<float>::infinity());
      const auto line = own.lines.begin() + reduced[r].line * tiling_->tile_rows;
      std::fill(line + row, line + last, reinterpret_cast<const std::byte*>(lanes));
    }
    extremes += tiling_->tile_rows * row_lanes;
  }
}

}  // namespace qfw::cpu::x86
