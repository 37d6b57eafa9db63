#include "fused_kernel.h"

#include <omp.h>

#include <algorithm>

#include "qfw/denormals.h"

namespace qfw::cpu {

using lowering::FusedProgram;
using lowering::Pattern;

namespace {

constexpr double parallel_work = 40000;  // elements times instructions below which waking threads costs more than it saves

}  // namespace

FusedKernel::FusedKernel(std::unique_ptr<const FusedProgram> program, std::unique_ptr<TileBody> body, const std::string& why,
                         int threads)
    : program_at_(std::move(program)),
      program_(*program_at_),
      body_(std::move(body)),
      why_(why),
      tiling_(cut(program_, body_->tile_elements())),
      threads_(threads),
      reductions_(program_, tiling_, threads_) {
  body_->prepare(tiling_, reductions_, threads_);
}

void FusedKernel::run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) {
  const Operands operands{inputs.data(), outputs.data()};
  begin();
  if (threads_ == 1 || !worth_waking()) {
    const FlushDenormals flush;
    work(operands, 0, 1);
    finish(0, 1, operands);
    return;
  }
#pragma omp parallel num_threads(threads_)
  {
    const FlushDenormals flush;
    const int thread = omp_get_thread_num(), team = omp_get_num_threads();
    work(operands, thread, team);
    if (reduces()) {
#pragma omp barrier
      finish(thread, team, operands);
    }
  }
}

/// All threads or one: libgomp ends and restarts threads when teams change their size.
bool FusedKernel::worth_waking() const {
  const double work = static_cast<double>(tiling_.count) * static_cast<double>(body_->instructions());
  return work >= parallel_work && tiling_.chunks.size() > 1;
}

void FusedKernel::work(const Operands& operands, int thread, int team) {
  prologue(operands, thread);
  const std::size_t chunks = tiling_.chunks.size();
  for (std::size_t chunk = chunks * thread / team; chunk < chunks * (thread + 1) / team; ++chunk) {
    run_chunk(operands, chunk, thread);
  }
}

void FusedKernel::run_chunk(const Operands& operands, std::size_t number, int thread) {
  reductions_.begin_chunk(number, thread);
  const Chunk& chunk = tiling_.chunks[number];
  // The very last row may be short: its tile stands alone.
  const std::int64_t short_cols = tiling_.cols_of(tiling_.rows - 1);
  const bool has_short = short_cols != tiling_.cols && chunk.last_row == tiling_.rows;
  const std::int64_t whole = chunk.last_row - has_short;
  const auto run_rows = [&](std::int64_t row, std::int64_t rows, std::int64_t last_col) {
    for (std::int64_t col = chunk.first_col; col < last_col; col += tiling_.tile_cols) {
      const bool in_row = col + tiling_.tile_cols < last_col;
      if (!body_->reads_ahead() && in_row) prefetch(operands, row, col + tiling_.tile_cols, rows);
      if (!body_->reads_ahead() && !in_row) prefetch(operands, row + rows, chunk.first_col, tiling_.tile_rows);
      body_->run(operands, tiling_.tile(row, col, rows, std::min(tiling_.tile_cols, last_col - col)), number, thread);
    }
  };
  for (std::int64_t row = chunk.first_row; row < whole; row += tiling_.tile_rows) {
    run_rows(row, std::min(tiling_.tile_rows, whole - row), chunk.last_col);
  }
  if (has_short) run_rows(whole, 1, short_cols);
  reductions_.end_chunk(number, thread);
}

/// Asks for the next tile's operands while this one is computed; the hardware only follows streams that do not pause.
void FusedKernel::prefetch(const Operands& operands, std::int64_t row, std::int64_t col, std::int64_t rows) const {
  const bool whole = tiling_.tile_cols == tiling_.cols;  // then its rows are one piece
  const std::int64_t pieces = whole ? 1 : rows, length = tiling_.tile_cols * (whole ? rows : 1);
  for (const FusedProgram::Load& load : program_.loads) {
    if (load.pattern != Pattern::dense) continue;
    const auto* base = static_cast<const std::byte*>(operands.inputs[load.input]);
    const auto size = static_cast<std::int64_t>(size_of(load.dtype));
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      const std::int64_t first = (row + piece) * tiling_.cols + col, last = std::min(first + length, tiling_.count);
      for (std::int64_t line = first * size; line < last * size; line += 64) __builtin_prefetch(base + line, 0, 2);
    }
  }
}

std::unique_ptr<FusedKernel> make_fused(const Graph& graph, const lowering::Group& group, int threads, const BodyKind& kind) {
  return make_fused(lowering::program_of(graph, group), threads, kind);
}

std::unique_ptr<FusedKernel> make_fused(FusedProgram program, int threads, const BodyKind& kind) {
  std::string why;
  if (auto kernel = make_fused(program, threads, kind, why)) return kernel;
  const BodyKind& interpreter = body_kinds().back();
  return make_fused(std::move(program), threads, interpreter, why);
}

std::unique_ptr<FusedKernel> make_fused(FusedProgram program, int threads, const BodyKind& kind, std::string& why) {
  auto owned = std::make_unique<const FusedProgram>(std::move(program));
  auto body = kind.make(*owned, why);
  if (body == nullptr) return nullptr;
  return std::make_unique<FusedKernel>(std::move(owned), std::move(body), why, threads);
}

}  // namespace qfw::cpu
