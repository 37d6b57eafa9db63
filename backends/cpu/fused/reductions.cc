#include "reductions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace qfw::cpu {
namespace {

using lowering::Pattern;
using Kind = lowering::FusedProgram::Reduction::Kind;

int sets_of(Kind kind) { return kind == Kind::moments ? 2 : 1; }

double start_of(Kind kind) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return kind == Kind::max ? -infinity : kind == Kind::min ? infinity : 0;
}

double join(Kind kind, double x, double so_far) {
  if (std::isnan(x)) return x;
  if (kind == Kind::max) return x > so_far ? x : so_far;
  if (kind == Kind::min) return x < so_far ? x : so_far;
  return so_far + x;
}

}  // namespace

Reductions::Reductions(const lowering::FusedProgram& program, const Tiling& tiling, int threads)
    : program_(program), tiling_(tiling) {
  for (const Reduction& reduction : program.reductions) {
    Accumulators a;
    const int sets = sets_of(reduction.kind);
    a.width = reduction.pattern == Pattern::row      ? tiling.padded_cols()
              : reduction.pattern == Pattern::scalar ? 1
                                                     : reduction.results;
    a.shared = reduction.pattern == Pattern::strided;
    std::int64_t& end = a.shared ? shared_doubles_ : chunk_doubles_;
    a.offset = end;
    end += sets * a.width;
    a.partial = thread_floats_;
    if (reduction.pattern == Pattern::row) thread_floats_ += sets * a.width;
    accumulators_.push_back(a);
  }
  sums_.resize(chunk_doubles_ * tiling.chunks.size() + shared_doubles_);
  partials_ = AlignedFloats(thread_floats_ * threads);
}

double* Reductions::sums_of(std::size_t chunk, const Accumulators& a) {
  return const_cast<double*>(std::as_const(*this).sums_of(chunk, a));
}

const double* Reductions::sums_of(std::size_t chunk, const Accumulators& a) const {
  return &sums_[(a.shared ? chunk_doubles_ * tiling_.chunks.size() : chunk * chunk_doubles_) + a.offset];
}

void Reductions::begin_run() {
  for (std::size_t r = 0; r < accumulators_.size(); ++r) {
    const Accumulators& a = accumulators_[r];
    if (a.shared) std::fill_n(sums_of(0, a), a.width, start_of(program_.reductions[r].kind));
  }
}

void Reductions::begin_thread(int thread) {
  for (std::size_t r = 0; r < accumulators_.size(); ++r) {
    if (program_.reductions[r].pattern == Pattern::row) reset_partials(r, thread);
  }
}

void Reductions::begin_chunk(std::size_t chunk) {
  for (std::size_t r = 0; r < accumulators_.size(); ++r) {
    const Accumulators& a = accumulators_[r];
    const Kind kind = program_.reductions[r].kind;
    if (!a.shared) std::fill_n(sums_of(chunk, a), sets_of(kind) * a.width, start_of(kind));
  }
}

void Reductions::reset_partials(std::size_t r, int thread) {
  const Kind kind = program_.reductions[r].kind;
  std::fill_n(partials_of(thread, accumulators_[r]), sets_of(kind) * accumulators_[r].width,
              static_cast<float>(start_of(kind)));
}

void Reductions::flush(std::size_t chunk, int thread) {
  for (std::size_t r = 0; r < accumulators_.size(); ++r) {
    const Reduction& reduction = program_.reductions[r];
    const Accumulators& a = accumulators_[r];
    if (reduction.pattern != Pattern::row) continue;
    const float* partial = partials_of(thread, a);
    double* sum = sums_of(chunk, a);
    const std::int64_t n = sets_of(reduction.kind) * a.width;
    if (reduction.kind == Kind::sum || reduction.kind == Kind::moments) {
      if (program_.in_order) continue;
      for (std::int64_t i = 0; i < n; ++i) sum[i] += static_cast<double>(partial[i]);
    } else {
      for (std::int64_t i = 0; i < n; ++i) sum[i] = join(reduction.kind, partial[i], sum[i]);
    }
    reset_partials(r, thread);
  }
}

void Reductions::add(std::size_t r, const Tile& tile, float* x, std::size_t chunk, int thread) {
  const Reduction& reduction = program_.reductions[r];
  const Accumulators& a = accumulators_[r];
  switch (reduction.pattern) {
    case Pattern::row:
      return add_rows(r, tile, x, partials_of(thread, a) + tile.col, sums_of(chunk, a) + tile.col);
    case Pattern::scalar:
      return add_all(reduction, tile, x, sums_of(chunk, a));
    default:
      return add_strided(reduction, tile, x, sums_of(chunk, a));
  }
}

void Reductions::add_rows(std::size_t r, const Tile& tile, float* x, float* partial, double* sum) {
  const Kind kind = program_.reductions[r].kind;
  const std::int64_t width = accumulators_[r].width;
  for (std::int64_t row = 0; row < tile.rows && tile.cols != tile.pitch; ++row) {
    std::fill(x + row * tile.pitch + tile.cols, x + (row + 1) * tile.pitch, static_cast<float>(start_of(kind)));
  }
  switch (kind) {
    case Kind::max:
      return ops_.max_rows(x, partial, tile.rows, tile.pitch);
    case Kind::min:
      return ops_.min_rows(x, partial, tile.rows, tile.pitch);
    case Kind::sum:
      if (program_.in_order) return sum_rows_in_order(x, sum, tile.rows, tile.pitch, tile.cols);
      return ops_.sum_rows(x, partial, tile.rows, tile.pitch);
    case Kind::moments:
      if (!program_.in_order) return ops_.moments_rows(x, partial, partial + width, tile.rows, tile.pitch);
      sum_rows_in_order(x, sum, tile.rows, tile.pitch, tile.cols);
      squares_rows_in_order(x, sum + width, tile.rows, tile.pitch, tile.cols);
      return;
  }
}

void Reductions::add_all(const Reduction& reduction, const Tile& tile, const float* x, double* sum) const {
  const bool one_piece = tile.pitch == tile.cols;
  const std::int64_t pieces = one_piece ? 1 : tile.rows, n = one_piece ? tile.rows * tile.cols : tile.cols;
  for (std::int64_t piece = 0; piece < pieces; ++piece, x += tile.pitch) {
    switch (reduction.kind) {
      case Kind::sum:
        *sum = program_.in_order ? sum_in_order(x, n, *sum) : *sum + ops_.sum(x, n);
        break;
      case Kind::max:
        *sum = ops_.max(x, n, static_cast<float>(*sum));
        break;
      case Kind::min:
        *sum = ops_.min(x, n, static_cast<float>(*sum));
        break;
      case Kind::moments:
        sum[1] = squares_in_order(x, n, sum[1]);
        sum[0] = sum_in_order(x, n, sum[0]);
        break;
    }
  }
}

void Reductions::add_strided(const Reduction& reduction, const Tile& tile, const float* x, double* sum) const {
  const std::int64_t step = reduction.strides[program_.space.extents.size() - 1];
  for (std::int64_t row = 0; row < tile.rows; ++row, x += tile.pitch) {
    double* to = sum + offset_of_row(program_.space, tile.row + row, reduction.strides) + tile.col * step;
    if (reduction.kind == Kind::sum && step == 1) {
      sum_rows_in_order(x, to, 1, tile.pitch, tile.cols);
    } else if (reduction.kind == Kind::sum && step == 0) {
      *to = program_.in_order ? sum_in_order(x, tile.cols, *to) : *to + ops_.sum(x, tile.cols);
    } else {
      for (std::int64_t col = 0; col < tile.cols; ++col) to[col * step] = join(reduction.kind, x[col], to[col * step]);
    }
  }
}

void Reductions::finish(int part, int parts, void* const* outputs) const {
  for (std::size_t r = 0; r < accumulators_.size(); ++r) {
    const Reduction& reduction = program_.reductions[r];
    const std::int64_t first = reduction.results * part / parts, last = reduction.results * (part + 1) / parts;
    for (std::int64_t i = first; i < last; ++i) {
      const double total = total_of(r, i, 0);
      float* out = reduction.output >= 0 ? static_cast<float*>(outputs[reduction.output]) : nullptr;
      if (reduction.kind != Kind::moments) {
        out[i] = static_cast<float>(total);
        continue;
      }
      const auto count = static_cast<double>(reduction.count);
      const double mean = total / count;
      if (out != nullptr) out[i] = static_cast<float>(mean);
      if (reduction.second_output < 0) continue;
      const double variance = total_of(r, i, 1) / count - mean * mean;
      static_cast<float*>(outputs[reduction.second_output])[i] = static_cast<float>(variance < 0 ? 0 : variance);
    }
  }
}

double Reductions::total_of(std::size_t r, std::int64_t i, int set) const {
  const Reduction& reduction = program_.reductions[r];
  const Accumulators& a = accumulators_[r];
  if (a.shared) return sums_of(0, a)[i];
  double total = start_of(reduction.kind);
  const bool rows = reduction.pattern == Pattern::row;
  const std::int64_t repeats = rows ? tiling_.repeat : 1;
  for (std::size_t chunk = 0; chunk < tiling_.chunks.size(); ++chunk) {
    const double* sum = sums_of(chunk, a) + set * a.width;
    for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
      total = join(reduction.kind, sum[repeat * program_.space.cols() * rows + i], total);
    }
  }
  return total;
}

}  // namespace qfw::cpu
