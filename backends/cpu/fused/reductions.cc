#include "reductions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace qfw::cpu {
namespace {

using lowering::Pattern;
using Kind = lowering::FusedProgram::Reduction::Kind;

constexpr auto lanes = static_cast<std::int64_t>(tile_step);

int sets_of(Kind kind) { return kind == Kind::moments ? 2 : 1; }
bool is_extreme(Kind kind) { return kind == Kind::max || kind == Kind::min; }

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

/// Of some elements: their mean, and the sum of their squared distances from it.
struct Part {
  double count = 0, mean = 0, squares = 0;

  /// `sum` and `square` are those of the distances from `pivot`: equal elements have none.
  Part(double count, double pivot, double sum, double square)
      : count(count), mean(pivot + sum / count), squares(square - sum * sum / count) {}

  /// Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979.
  void join(const Part& other) {
    const double all = count + other.count, apart = other.mean - mean;
    mean = (mean * count + other.mean * other.count) / all;  // equal means stay, an infinite one is no NaN
    squares += other.squares + apart * apart * (count * other.count / all);
    count = all;
  }
};

}  // namespace

Reductions::Reductions(const lowering::FusedProgram& program, const Tiling& tiling, int threads)
    : program_(program), tiling_(tiling) {
  for (const Reduction& reduction : program.reductions) {
    Accumulators a;
    const int sets = sets_of(reduction.kind);
    const bool rows = is_by_column(program, reduction), scalar = reduction.pattern == Pattern::scalar;
    const bool in_lanes = !program.in_order || is_extreme(reduction.kind);
    a.width = rows ? tiling.padded_cols() : scalar ? (in_lanes ? lanes : 1) : reduction.results;
    a.shared = reduction.pattern == Pattern::strided;
    std::int64_t& end = a.shared ? shared_doubles_ : chunk_doubles_;
    a.offset = end;
    end += sets * a.width;
    if (reduction.kind == Kind::moments) {
      a.floats = chunk_floats_;
      chunk_floats_ += rows ? a.width : 1;
    } else if (!a.shared && is_extreme(reduction.kind)) {
      a.floats = thread_floats_;
      thread_floats_ += a.width;
    }
    accumulators_.push_back(a);
  }
  sums_.resize(chunk_doubles_ * tiling.chunks.size() + shared_doubles_);
  pivots_.resize(chunk_floats_ * tiling.chunks.size());
  extremes_ = AlignedFloats(thread_floats_ * threads);
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

void Reductions::begin_chunk(std::size_t chunk, int thread) {
  for (std::size_t r = 0; r < accumulators_.size(); ++r) {
    const Accumulators& a = accumulators_[r];
    const Reduction& reduction = program_.reductions[r];
    if (!a.shared) std::fill_n(sums_of(chunk, a), sets_of(reduction.kind) * a.width, start_of(reduction.kind));
    if (!a.shared && is_extreme(reduction.kind)) {
      std::fill_n(extremes_of(thread, a), a.width, static_cast<float>(start_of(reduction.kind)));
    }
  }
}

void Reductions::end_chunk(std::size_t chunk, int thread) {
  for (std::size_t r = 0; r < accumulators_.size(); ++r) {
    const Reduction& reduction = program_.reductions[r];
    const Accumulators& a = accumulators_[r];
    if (!a.shared && is_extreme(reduction.kind)) {
      std::copy_n(extremes_of(thread, a), a.width, sums_of(chunk, a));
    }
  }
}

void Reductions::add(std::size_t r, const Tile& tile, float* x, std::size_t chunk, int thread) {
  const Reduction& reduction = program_.reductions[r];
  if (is_by_column(program_, reduction)) return add_rows(r, tile, x, chunk, thread);
  switch (reduction.pattern) {
    case Pattern::scalar:
      return add_all(r, tile, x, chunk, thread);
    default:
      return add_strided(reduction, tile, x, sums_of(chunk, accumulators_[r]));
  }
}

void Reductions::add_rows(std::size_t r, const Tile& tile, float* x, std::size_t chunk, int thread) {
  const Accumulators& a = accumulators_[r];
  const Kind kind = program_.reductions[r].kind;
  float* pivots = kind == Kind::moments ? pivots_of(chunk, a) + tile.col : nullptr;
  if (pivots != nullptr && tile.row == tiling_.chunks[chunk].first_row) {
    for (std::int64_t i = 0; i < tile.cols; ++i) pivots[i] = std::isfinite(x[i]) ? x[i] : 0;
  }
  for (std::int64_t row = 0; row < tile.rows && tile.cols != tile.pitch; ++row) {  // padding must change nothing
    float* padding = x + row * tile.pitch + tile.cols;
    if (pivots != nullptr) {
      std::copy_n(pivots + tile.cols, tile.pitch - tile.cols, padding);
    } else {
      std::fill_n(padding, tile.pitch - tile.cols, static_cast<float>(start_of(kind)));
    }
  }
  double* sums = sums_of(chunk, a) + tile.col;
  switch (kind) {
    case Kind::max:
      return ops_.max_rows(x, extremes_of(thread, a) + tile.col, tile.rows, tile.pitch);
    case Kind::min:
      return ops_.min_rows(x, extremes_of(thread, a) + tile.col, tile.rows, tile.pitch);
    case Kind::sum:
      return (program_.in_order ? ops_.sum_rows : ops_.sum_blocks)(x, sums, tile.rows, tile.pitch);
    case Kind::moments:
      return (program_.in_order ? ops_.moments_rows : ops_.moments_blocks)(x, pivots, sums, sums + a.width, tile.rows,
                                                                           tile.pitch);
  }
}

Reductions::Place Reductions::place(std::size_t r, std::size_t chunk, int thread, std::int64_t col) {
  const Accumulators& a = accumulators_[r];
  const Reduction& reduction = program_.reductions[r];
  if (!is_by_column(program_, reduction)) col = 0;
  double* sums = sums_of(chunk, a) + col;
  float* floats = reduction.kind == Kind::moments           ? pivots_of(chunk, a) + col
                  : is_extreme(reduction.kind) && !a.shared ? extremes_of(thread, a) + col
                                                            : nullptr;
  return {.sums = sums, .squares = sums + a.width, .floats = floats};
}

void Reductions::add_all(std::size_t r, const Tile& tile, const float* x, std::size_t chunk, int thread) {
  const Accumulators& a = accumulators_[r];
  const Kind kind = program_.reductions[r].kind;
  double* sums = sums_of(chunk, a);
  if (kind == Kind::moments && tile.row == tiling_.chunks[chunk].first_row && tile.col == 0) {
    *pivots_of(chunk, a) = std::isfinite(*x) ? *x : 0;
  }
  const bool one_piece = tile.pitch == tile.cols;
  const std::int64_t pieces = one_piece ? 1 : tile.rows, n = one_piece ? tile.rows * tile.cols : tile.cols;
  for (std::int64_t piece = 0; piece < pieces; ++piece, x += tile.pitch) {
    switch (kind) {
      case Kind::max:
        ops_.max_lanes(x, n, extremes_of(thread, a));
        break;
      case Kind::min:
        ops_.min_lanes(x, n, extremes_of(thread, a));
        break;
      case Kind::sum:
        if (!program_.in_order) {
          ops_.sum_lanes(x, n, sums);
          break;
        }
        for (std::int64_t i = 0; i < n; ++i) *sums += static_cast<double>(x[i]);
        break;
      case Kind::moments: {
        const double pivot = *pivots_of(chunk, a);
        if (!program_.in_order) {
          ops_.moments_lanes(x, n, pivot, sums, sums + a.width);
          break;
        }
        for (std::int64_t i = 0; i < n; ++i) {
          const double value = static_cast<double>(x[i]) - pivot;
          sums[0] += value;
          sums[1] += value * value;
        }
        break;
      }
    }
  }
}

double Reductions::extreme_of(Kind kind, const float* x, std::int64_t count) const {
  alignas(64) float extremes[lanes];
  std::fill_n(extremes, lanes, static_cast<float>(start_of(kind)));
  (kind == Kind::max ? ops_.max_lanes : ops_.min_lanes)(x, static_cast<std::size_t>(count), extremes);
  double extreme = start_of(kind);
  for (const float one : extremes) extreme = join(kind, one, extreme);
  return extreme;
}

void Reductions::take_extreme(std::size_t r, std::int64_t result, const float* x, std::int64_t count) {
  const Kind kind = program_.reductions[r].kind;
  double& so_far = sums_of(0, accumulators_[r])[result];
  so_far = join(kind, extreme_of(kind, x, count), so_far);
}

void Reductions::add_strided(const Reduction& reduction, const Tile& tile, const float* x, double* sum) const {
  const std::int64_t step = reduction.strides[program_.space.extents.size() - 1];
  for (std::int64_t row = 0; row < tile.rows; ++row, x += tile.pitch) {
    double* to = sum + offset_of_row(program_.space, tile.row + row, reduction.strides) + tile.col * step;
    if (step == 0 && is_extreme(reduction.kind)) {
      *to = join(reduction.kind, extreme_of(reduction.kind, x, tile.cols), *to);
    } else if (reduction.kind == Kind::sum) {
      const std::int64_t whole = step == 1 ? tile.cols / lanes * lanes : 0;
      ops_.sum_rows(x, to, 1, static_cast<std::size_t>(whole));
      for (std::int64_t col = whole; col < tile.cols; ++col) to[col * step] += static_cast<double>(x[col]);
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
      if (reduction.kind == Kind::moments) {
        finish_moments(r, i, outputs);
      } else {
        static_cast<float*>(outputs[reduction.output])[i] = static_cast<float>(total_of(r, i));
      }
    }
  }
}

void Reductions::finish_moments(std::size_t r, std::int64_t i, void* const* outputs) const {
  const Reduction& reduction = program_.reductions[r];
  const Accumulators& a = accumulators_[r];
  const bool rows = reduction.pattern == Pattern::row;
  std::optional<Part> all;
  for (std::size_t number = 0; number < tiling_.chunks.size(); ++number) {
    const Chunk& chunk = tiling_.chunks[number];
    const double* sums = sums_of(number, a);
    const float* pivots = pivots_of(number, a);
    const auto add = [&](std::int64_t count, double pivot, double sum, double square) {
      if (count == 0) return;
      const Part part(static_cast<double>(count), pivot, sum, square);
      if (all) {
        all->join(part);
      } else {
        all = part;
      }
    };
    const std::int64_t last_cols = tiling_.cols_of(chunk.last_row - 1), height = chunk.last_row - chunk.first_row;
    if (rows) {
      for (std::int64_t repeat = 0; repeat < tiling_.repeat; ++repeat) {
        const std::int64_t col = repeat * program_.space.cols() + i;
        if (col < chunk.first_col || col >= chunk.last_col) continue;
        add(height - (col >= last_cols), pivots[col], sums[col], sums[a.width + col]);
      }
    } else {
      double sum = 0, square = 0;
      for (std::int64_t lane = 0; lane < a.width; ++lane) {
        sum += sums[lane];
        square += sums[a.width + lane];
      }
      add((height - 1) * tiling_.cols + last_cols, *pivots, sum, square);
    }
  }
  if (reduction.output >= 0) static_cast<float*>(outputs[reduction.output])[i] = static_cast<float>(all->mean);
  if (reduction.second_output < 0) return;
  const double variance = all->squares / all->count;
  static_cast<float*>(outputs[reduction.second_output])[i] = static_cast<float>(variance < 0 ? 0 : variance);  // NaN stays
}

double Reductions::total_of(std::size_t r, std::int64_t i) const {
  const Reduction& reduction = program_.reductions[r];
  const Accumulators& a = accumulators_[r];
  if (a.shared) return sums_of(0, a)[i];
  double total = start_of(reduction.kind);
  for (std::size_t chunk = 0; chunk < tiling_.chunks.size(); ++chunk) {
    const double* sums = sums_of(chunk, a);
    if (reduction.pattern == Pattern::row) {
      for (std::int64_t repeat = 0; repeat < tiling_.repeat; ++repeat) {
        total = join(reduction.kind, sums[repeat * program_.space.cols() + i], total);
      }
    } else {
      for (std::int64_t lane = 0; lane < a.width; ++lane) total = join(reduction.kind, sums[lane], total);
    }
  }
  return total;
}

}  // namespace qfw::cpu
