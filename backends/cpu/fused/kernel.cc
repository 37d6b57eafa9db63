#include "kernel.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "geometry.h"
#include "tile_program.h"

namespace qfw::cpu {
namespace {

constexpr double parallel_work = 40000;  // elements times instructions below which waking threads costs more than it saves
constexpr std::int64_t rows_per_flush = 64;

/// Denormals as zero while it lives, as on every thread of every backend.
class FlushDenormals {
 public:
#if defined(__SSE__)
  FlushDenormals() : before_(_mm_getcsr()) {
    if ((before_ & both_) != both_) _mm_setcsr(before_ | both_);
  }
  ~FlushDenormals() {
    if ((before_ & both_) != both_) _mm_setcsr(before_);
  }

 private:
  static constexpr unsigned both_ = 0x8040;
  unsigned before_;
#else
  FlushDenormals() {}
#endif
};

struct AlignedFloats {
  explicit AlignedFloats(std::size_t count)
      : data(static_cast<float*>(::operator new(count * sizeof(float), std::align_val_t(64)))) {
    std::fill_n(data, count, 0.0f);
  }
  AlignedFloats(const AlignedFloats&) = delete;
  AlignedFloats& operator=(const AlignedFloats&) = delete;
  ~AlignedFloats() { ::operator delete(data, std::align_val_t(64)); }

  float* data;
};

const std::byte* at(const void* base, std::int64_t index, DType dtype) {
  return static_cast<const std::byte*>(base) + index * static_cast<std::int64_t>(size_of(dtype));
}
std::byte* at(void* base, std::int64_t index, DType dtype) {
  return static_cast<std::byte*>(base) + index * static_cast<std::int64_t>(size_of(dtype));
}

/// Where a reduction's accumulators lie.
struct Accumulators {
  std::int64_t offset = 0;   ///< in a chunk's doubles, or in the shared ones
  std::int64_t partial = 0;  ///< in a thread's floats
  std::int64_t width = 1;    ///< of one set; moments have two
  bool shared = false;
};

struct Tile {
  std::int64_t row = 0, col = 0, rows = 0, cols = 0, pitch = 0;
  std::int64_t first = 0;  ///< index of its first element
  bool contiguous = false, direct = false;
};

}  // namespace

struct FusedKernel::State {
  TileProgram program;
  Geometry geometry;
  int threads = 1;
  const TileOps& ops = tile_ops();
  std::vector<std::size_t> input_sizes, output_sizes;
  std::vector<Accumulators> accumulators;
  std::int64_t chunk_doubles = 0, shared_doubles = 0;
  std::vector<double> sums;  // of all chunks, then the shared ones
  std::int64_t thread_floats = 0;
  std::int64_t rows_at = 0, scalars_at = 0, partials_at = 0;  // within a thread's floats
  std::unique_ptr<AlignedFloats> scratch;
  std::vector<float*> pointers;   // of all threads, by value
  std::vector<int> rows_in_body;  // values whose pointer moves with the tile's column
  const void* const* inputs = nullptr;
  void* const* outputs = nullptr;

  float* floats(int thread) const { return scratch->data + thread * thread_floats; }
  std::size_t pointer_stride() const { return (program.values.size() + 15) / 8 * 8; }
  float** own_pointers(int thread) { return &pointers[thread * pointer_stride()]; }
  void move_rows(int thread, std::int64_t col) {
    for (const int value : rows_in_body) {
      own_pointers(thread)[value] = floats(thread) + rows_at + program.values[value].buffer * geometry.padded_cols() + col;
    }
  }

  void plan_accumulators() {
    for (const TileReduction& reduction : program.reductions) {
      Accumulators a;
      const int sets = reduction.kind == TileReduction::Kind::moments ? 2 : 1;
      a.width = reduction.pattern == Pattern::row      ? geometry.padded_cols()
                : reduction.pattern == Pattern::scalar ? 1
                                                       : reduction.results;
      a.shared = reduction.pattern == Pattern::strided;
      std::int64_t& end = a.shared ? shared_doubles : chunk_doubles;
      a.offset = end;
      end += sets * a.width;
      a.partial = partials_at;
      if (reduction.pattern == Pattern::row) partials_at += sets * a.width;
      accumulators.push_back(a);
    }
    sums.resize(chunk_doubles * geometry.chunks.size() + shared_doubles);
  }

  void plan_scratch() {
    const std::int64_t partials = partials_at;
    rows_at = program.full_buffers * geometry.tile_floats();
    scalars_at = rows_at + program.row_buffers * geometry.padded_cols();
    partials_at = scalars_at + program.scalar_buffers * static_cast<std::int64_t>(tile_step);
    thread_floats = partials_at + partials + static_cast<std::int64_t>(tile_step);
    scratch = std::make_unique<AlignedFloats>(thread_floats * threads);
    pointers.resize(pointer_stride() * threads);
    for (int thread = 0; thread < threads; ++thread) {
      float* own = floats(thread);
      for (std::size_t v = 0; v < program.values.size(); ++v) {
        const TileValue& value = program.values[v];
        if (value.buffer < 0) continue;
        own_pointers(thread)[v] = value.fill == Fill::full ? own + value.buffer * geometry.tile_floats()
                                  : value.fill == Fill::row
                                      ? own + rows_at + value.buffer * geometry.padded_cols()
                                      : own + scalars_at + value.buffer * static_cast<std::int64_t>(tile_step);
      }
      for (std::size_t i = 0; i < program.numbers.size(); ++i) {
        std::fill_n(own + scalars_at + i * tile_step, tile_step, program.numbers[i]);
      }
    }
    for (const auto& instruction : program.body) {
      for (const int arg : {instruction.a, instruction.b, instruction.c}) {
        if (arg >= 0 && program.values[arg].fill == Fill::row) rows_in_body.push_back(arg);
      }
    }
    std::ranges::sort(rows_in_body);
    rows_in_body.erase(std::ranges::unique(rows_in_body).begin(), rows_in_body.end());
  }

  // ---- once per run and thread ----------------------------------------------------------------------------------------
  void run_prologue(int thread) {
    float** pointer = own_pointers(thread);
    move_rows(thread, 0);
    for (const auto& instruction : program.prologue) {
      const bool row = program.values[instruction.out].fill == Fill::row;
      const std::int64_t n = row ? geometry.padded_cols() : static_cast<std::int64_t>(tile_step);
      if (instruction.kind == TileInstruction::Kind::load) {
        load_small(program.loads[instruction.index], row, pointer[instruction.out]);
      } else {
        execute(instruction, pointer, 1, n);
      }
    }
  }

  void load_small(const TileLoad& load, bool row, float* to) const {
    const auto convert = ops.load[static_cast<int>(load.dtype)];
    const std::int64_t own = row ? program.space.cols() : 1;
    convert(inputs[load.input], to, own);
    if (!row) return std::fill_n(to + 1, tile_step - 1, to[0]), void();
    for (std::int64_t i = 1; i < geometry.repeat; ++i) std::memcpy(to + i * own, to, own * sizeof(float));
  }

  // ---- instructions ---------------------------------------------------------------------------------------------------
  TileKind kind_of(int a, int b) const {
    const Fill fill_a = program.values[a].fill, fill_b = program.values[b].fill;
    if (fill_a == fill_b) return TileKind::full_full;
    if (fill_a == Fill::scalar) return TileKind::scalar_full;
    if (fill_b == Fill::scalar) return TileKind::full_scalar;
    return fill_a == Fill::row ? TileKind::row_full : TileKind::full_row;
  }

  /// What touches no memory but buffers: `rows` times `cols` floats, cols a multiple of the step.
  void execute(const TileInstruction& i, float* const* pointer, std::int64_t rows, std::int64_t cols) const {
    using Kind = TileInstruction::Kind;
    float* out = pointer[i.out];
    switch (i.kind) {
      case Kind::unary:
        ops.unary[static_cast<int>(i.unary)](pointer[i.a], out, rows * cols);
        break;
      case Kind::binary:
        ops.binary[static_cast<int>(i.binary)][static_cast<int>(kind_of(i.a, i.b))](pointer[i.a], pointer[i.b], out, rows,
                                                                                    cols);
        break;
      case Kind::select: {
        const Fill fill = program.values[i.out].fill;
        const bool number_b = program.values[i.b].fill != fill, number_c = program.values[i.c].fill != fill;
        const SelectKind kind = number_b ? (number_c ? SelectKind::scalar_scalar : SelectKind::scalar_full)
                                         : (number_c ? SelectKind::full_scalar : SelectKind::full_full);
        ops.select[static_cast<int>(kind)](pointer[i.a], pointer[i.b], pointer[i.c], out, rows * cols);
        break;
      }
      case Kind::spread:
        if (program.values[i.a].fill == Fill::scalar) {
          std::fill_n(out, rows * cols, *pointer[i.a]);
        } else {
          for (std::int64_t row = 0; row < rows; ++row) std::memcpy(out + row * cols, pointer[i.a], cols * sizeof(float));
        }
        break;
      default:
        break;
    }
  }

  void load(const TileLoad& load, const Tile& tile, float*& pointer, float* buffer) const {
    const void* base = inputs[load.input];
    const auto convert = ops.load[static_cast<int>(load.dtype)];
    if (load.pattern == Pattern::strided) return load_strided(load, tile, buffer), void(pointer = buffer);
    const std::byte* from = at(base, tile.first, load.dtype);
    if (tile.direct && size_of(load.dtype) == sizeof(float)) {
      pointer = const_cast<float*>(reinterpret_cast<const float*>(from));  // only read, unless may_overwrite() said so
      return;
    }
    pointer = buffer;
    if (tile.contiguous) return convert(from, buffer, tile.rows * tile.cols);
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      convert(at(base, tile.first + row * geometry.cols, load.dtype), buffer + row * tile.pitch, tile.cols);
    }
  }

  /// Index of the first element of a row under these strides.
  std::int64_t offset_of(std::int64_t row, const Strides& strides) const {
    std::int64_t offset = 0;
    for (int axis = static_cast<int>(program.space.extents.size()) - 2; axis >= 0; --axis) {
      offset += row % program.space.extents[axis] * strides[axis];
      row /= program.space.extents[axis];
    }
    return offset;
  }

  void load_strided(const TileLoad& load, const Tile& tile, float* buffer) const {
    const void* base = inputs[load.input];
    const auto convert = ops.load[static_cast<int>(load.dtype)];
    const std::int64_t step = load.strides[program.space.extents.size() - 1];
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      float* to = buffer + row * tile.pitch;
      const std::int64_t first = offset_of(tile.row + row, load.strides) + tile.col * step;
      if (step == 1) {
        convert(at(base, first, load.dtype), to, tile.cols);
      } else if (step == 0) {
        convert(at(base, first, load.dtype), to, 1);
        std::fill_n(to + 1, tile.cols - 1, *to);
      } else {
        for (std::int64_t col = 0; col < tile.cols; ++col) convert(at(base, first + col * step, load.dtype), to + col, 1);
      }
    }
  }

  void store(const TileStore& store, const Tile& tile, const float* from) const {
    if (store.direct && tile.direct) return;
    const auto convert = store.rounds ? ops.store_rounding : ops.store[static_cast<int>(store.dtype)];
    if (tile.contiguous) return convert(from, at(outputs[store.output], tile.first, store.dtype), tile.rows * tile.cols);
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      convert(from + row * tile.pitch, at(outputs[store.output], tile.first + row * geometry.cols, store.dtype), tile.cols);
    }
  }

  // ---- reductions -----------------------------------------------------------------------------------------------------
  double* chunk_sums(std::size_t chunk, const Accumulators& a) {
    return a.shared ? &sums[chunk_doubles * geometry.chunks.size() + a.offset] : &sums[chunk * chunk_doubles + a.offset];
  }

  static double start_of(TileReduction::Kind kind) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return kind == TileReduction::Kind::max ? -infinity : kind == TileReduction::Kind::min ? infinity : 0;
  }

  void reset_partials(int thread, std::size_t r) const {
    const TileReduction& reduction = program.reductions[r];
    const int sets = reduction.kind == TileReduction::Kind::moments ? 2 : 1;
    std::fill_n(floats(thread) + partials_at + accumulators[r].partial, sets * accumulators[r].width,
                static_cast<float>(start_of(reduction.kind)));
  }

  /// Joins a thread's partial rows to the chunk's sums.
  void flush(int thread, std::size_t chunk) {
    for (std::size_t r = 0; r < program.reductions.size(); ++r) {
      const TileReduction& reduction = program.reductions[r];
      const Accumulators& a = accumulators[r];
      if (reduction.pattern != Pattern::row) continue;
      const float* partial = floats(thread) + partials_at + a.partial;
      double* sum = chunk_sums(chunk, a);
      const std::int64_t n = (reduction.kind == TileReduction::Kind::moments ? 2 : 1) * a.width;
      if (reduction.kind == TileReduction::Kind::sum || reduction.kind == TileReduction::Kind::moments) {
        if (program.in_order) continue;
        for (std::int64_t i = 0; i < n; ++i) sum[i] += static_cast<double>(partial[i]);
      } else {
        for (std::int64_t i = 0; i < n; ++i) sum[i] = join(reduction.kind, partial[i], sum[i]);
      }
      reset_partials(thread, r);
    }
  }

  static double join(TileReduction::Kind kind, double x, double so_far) {
    if (std::isnan(x)) return x;
    if (kind == TileReduction::Kind::max) return x > so_far ? x : so_far;
    if (kind == TileReduction::Kind::min) return x < so_far ? x : so_far;
    return so_far + x;
  }

  void reduce(std::size_t r, const Tile& tile, const float* x, int thread, std::size_t chunk) {
    const Accumulators& a = accumulators[r];
    switch (program.reductions[r].pattern) {
      case Pattern::row:
        return reduce_rows(r, tile, x, floats(thread) + partials_at + a.partial + tile.col, chunk_sums(chunk, a) + tile.col);
      case Pattern::scalar:
        return reduce_all(r, tile, x, chunk_sums(chunk, a));
      default:
        return reduce_strided(r, tile, x, chunk_sums(chunk, a));
    }
  }

  void reduce_rows(std::size_t r, const Tile& tile, const float* x, float* partial, double* sum) const {
    using Kind = TileReduction::Kind;
    const std::int64_t width = accumulators[r].width;
    if (tile.cols != tile.pitch) {  // the padding belongs to the tile's own buffer
      const auto neutral = static_cast<float>(start_of(program.reductions[r].kind));
      for (std::int64_t row = 0; row < tile.rows; ++row) {
        std::fill(const_cast<float*>(x) + row * tile.pitch + tile.cols, const_cast<float*>(x) + (row + 1) * tile.pitch,
                  neutral);
      }
    }
    switch (program.reductions[r].kind) {
      case Kind::max:
        return ops.max_rows(x, partial, tile.rows, tile.pitch);
      case Kind::min:
        return ops.min_rows(x, partial, tile.rows, tile.pitch);
      case Kind::sum:
        if (program.in_order) return sum_rows_in_order(x, sum, tile.rows, tile.pitch, tile.cols);
        return ops.sum_rows(x, partial, tile.rows, tile.pitch);
      case Kind::moments:
        if (!program.in_order) return ops.moments_rows(x, partial, partial + width, tile.rows, tile.pitch);
        sum_rows_in_order(x, sum, tile.rows, tile.pitch, tile.cols);
        squares_rows_in_order(x, sum + width, tile.rows, tile.pitch, tile.cols);
        return;
    }
  }

  void reduce_all(std::size_t r, const Tile& tile, const float* x, double* sum) const {
    using Kind = TileReduction::Kind;
    const std::int64_t pieces = tile.pitch == tile.cols ? 1 : tile.rows,
                       n = tile.pitch == tile.cols ? tile.rows * tile.cols : tile.cols;
    for (std::int64_t piece = 0; piece < pieces; ++piece, x += tile.pitch) {
      switch (program.reductions[r].kind) {
        case Kind::sum:
          *sum = program.in_order ? sum_in_order(x, n, *sum) : *sum + ops.sum(x, n);
          break;
        case Kind::max:
          *sum = ops.max(x, n, static_cast<float>(*sum));
          break;
        case Kind::min:
          *sum = ops.min(x, n, static_cast<float>(*sum));
          break;
        case Kind::moments:
          sum[1] = squares_in_order(x, n, sum[1]);
          sum[0] = sum_in_order(x, n, sum[0]);
          break;
      }
    }
  }

  void reduce_strided(std::size_t r, const Tile& tile, const float* x, double* sum) const {
    using Kind = TileReduction::Kind;
    const TileReduction& reduction = program.reductions[r];
    const std::int64_t step = reduction.strides[program.space.extents.size() - 1];
    for (std::int64_t row = 0; row < tile.rows; ++row, x += tile.pitch) {
      double* to = sum + offset_of(tile.row + row, reduction.strides) + tile.col * step;
      if (reduction.kind == Kind::sum && step == 1) {
        sum_rows_in_order(x, to, 1, tile.pitch, tile.cols);
      } else if (reduction.kind == Kind::sum && step == 0) {
        *to = program.in_order ? sum_in_order(x, tile.cols, *to) : *to + ops.sum(x, tile.cols);
      } else {
        for (std::int64_t col = 0; col < tile.cols; ++col) to[col * step] = join(reduction.kind, x[col], to[col * step]);
      }
    }
  }

  /// The chunks' sums, in their order, to the outputs; `part` of `parts` of every result.
  void finish(int part, int parts) {
    for (std::size_t r = 0; r < program.reductions.size(); ++r) {
      const TileReduction& reduction = program.reductions[r];
      const std::int64_t first = reduction.results * part / parts, last = reduction.results * (part + 1) / parts;
      for (std::int64_t i = first; i < last; ++i) {
        const double total = total_of(r, i, 0);
        float* out = reduction.output >= 0 ? static_cast<float*>(outputs[reduction.output]) : nullptr;
        if (reduction.kind != TileReduction::Kind::moments) {
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

  double total_of(std::size_t r, std::int64_t i, int set) {
    const TileReduction& reduction = program.reductions[r];
    const Accumulators& a = accumulators[r];
    if (a.shared) return chunk_sums(0, a)[i];
    double total = start_of(reduction.kind);
    const std::int64_t repeats = reduction.pattern == Pattern::row ? geometry.repeat : 1;
    for (std::size_t chunk = 0; chunk < geometry.chunks.size(); ++chunk) {
      const double* sum = chunk_sums(chunk, a) + set * a.width;
      for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
        total = join(reduction.kind, sum[repeat * program.space.cols() * (reduction.pattern == Pattern::row) + i], total);
      }
    }
    return total;
  }

  // ---- tiles ----------------------------------------------------------------------------------------------------------
  void run_tile(Tile tile, int thread, std::size_t chunk) {
    tile.pitch = (tile.cols + static_cast<std::int64_t>(tile_step) - 1) / tile_step * tile_step;
    tile.first = tile.row * geometry.cols + tile.col;
    tile.contiguous = tile.rows == 1 || (tile.cols == geometry.cols && tile.pitch == tile.cols);
    tile.direct = tile.contiguous && tile.pitch == tile.cols;
    float** pointer = own_pointers(thread);
    float* own = floats(thread);
    move_rows(thread, tile.col);
    for (const TileStore& store : program.stores) {
      if (!store.direct) continue;
      pointer[store.value] = tile.direct ? reinterpret_cast<float*>(at(outputs[store.output], tile.first, store.dtype))
                                         : own + program.values[store.value].buffer * geometry.tile_floats();
    }
    for (const TileInstruction& instruction : program.body) {
      switch (instruction.kind) {
        case TileInstruction::Kind::load:
          load(program.loads[instruction.index], tile, pointer[instruction.out],
               own + program.values[instruction.out].buffer * geometry.tile_floats());
          break;
        case TileInstruction::Kind::store:
          store(program.stores[instruction.index], tile, pointer[instruction.a]);
          break;
        case TileInstruction::Kind::reduce:
          reduce(instruction.index, tile, pointer[instruction.a], thread, chunk);
          break;
        default:
          execute(instruction, pointer, tile.rows, tile.pitch);
      }
    }
  }

  /// Asks for the next tile's operands while this one is computed; the hardware only follows streams that do not pause.
  void prefetch(std::int64_t row, std::int64_t col, std::int64_t elements) const {
    const std::int64_t first = row * geometry.cols + col, last = std::min(first + elements, geometry.count);
    for (const TileLoad& load : program.loads) {
      if (load.pattern != Pattern::dense) continue;
      const std::byte* end = at(inputs[load.input], last, load.dtype);
      for (const std::byte* line = at(inputs[load.input], first, load.dtype); line < end; line += 64) {
        __builtin_prefetch(line, 0, 2);
      }
    }
  }

  void run_chunk(std::size_t number, int thread) {
    const Chunk& chunk = geometry.chunks[number];
    // The very last row may be short: its tile stands alone.
    const std::int64_t short_cols = geometry.count - (geometry.rows - 1) * geometry.cols;
    const bool has_short = short_cols != geometry.cols && chunk.last_row == geometry.rows;
    const std::int64_t whole = chunk.last_row - has_short;
    std::int64_t since_flush = 0;
    const auto run_rows = [&](std::int64_t row, std::int64_t rows, std::int64_t last_col) {
      for (std::int64_t col = chunk.first_col; col < last_col; col += geometry.tile_cols) {
        if (col + geometry.tile_cols < last_col) {
          prefetch(row, col + geometry.tile_cols, geometry.tile_cols);
        } else {
          prefetch(row + rows, chunk.first_col, geometry.tile_rows * geometry.tile_cols);
        }
        run_tile({.row = row, .col = col, .rows = rows, .cols = std::min(geometry.tile_cols, last_col - col)}, thread, number);
      }
      if ((since_flush += rows) < rows_per_flush) return;
      flush(thread, number);
      since_flush = 0;
    };
    for (std::int64_t row = chunk.first_row; row < whole; row += geometry.tile_rows) {
      run_rows(row, std::min(geometry.tile_rows, whole - row), chunk.last_col);
    }
    if (has_short) run_rows(whole, 1, short_cols);
    if (!program.reductions.empty()) flush(thread, number);
  }

  void reset_sums(std::size_t chunk) {
    for (std::size_t r = 0; r < program.reductions.size(); ++r) {
      const Accumulators& a = accumulators[r];
      if (a.shared) continue;
      const TileReduction::Kind kind = program.reductions[r].kind;
      std::fill_n(chunk_sums(chunk, a), (kind == TileReduction::Kind::moments ? 2 : 1) * a.width, start_of(kind));
    }
  }

  void reset_shared() {
    for (std::size_t r = 0; r < program.reductions.size(); ++r) {
      if (accumulators[r].shared)
        std::fill_n(chunk_sums(0, accumulators[r]), accumulators[r].width, start_of(program.reductions[r].kind));
    }
  }

  void work(int thread, int team) {
    run_prologue(thread);
    for (std::size_t r = 0; r < program.reductions.size(); ++r) {
      if (program.reductions[r].pattern == Pattern::row) reset_partials(thread, r);
    }
    const std::size_t chunks = geometry.chunks.size();
    for (std::size_t chunk = chunks * thread / team; chunk < chunks * (thread + 1) / team; ++chunk) {
      reset_sums(chunk);
      run_chunk(chunk, thread);
    }
  }
};

FusedKernel::FusedKernel(const Graph& graph, const FusedGroup& group, int threads) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.program = compile_tiles(graph, group);
  s.geometry = cut(s.program);
  const double work = static_cast<double>(s.geometry.count) * static_cast<double>(s.program.body.size());
  // All threads or one: libgomp ends and restarts threads when teams change their size.
  s.threads = work < parallel_work || s.geometry.chunks.size() == 1 ? 1 : threads;
  for (const Use use : group.inputs) s.input_sizes.push_back(size_of(graph.type(use).dtype));
  for (const Use use : group.outputs) s.output_sizes.push_back(size_of(graph.type(use).dtype));
  s.plan_accumulators();
  s.plan_scratch();
}

FusedKernel::FusedKernel(FusedKernel&&) noexcept = default;
FusedKernel& FusedKernel::operator=(FusedKernel&&) noexcept = default;
FusedKernel::~FusedKernel() = default;

void FusedKernel::run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  State& s = *state_;
  s.inputs = inputs.data(), s.outputs = outputs.data();
  s.reset_shared();
  if (s.threads == 1) {
    const FlushDenormals flush;
    s.work(0, 1);
    s.finish(0, 1);
    return;
  }
#pragma omp parallel num_threads(s.threads)
  {
    const FlushDenormals flush;
    const int thread = omp_get_thread_num(), team = omp_get_num_threads();
    s.work(thread, team);
    if (!s.program.reductions.empty()) {
#pragma omp barrier
      s.finish(thread, team);
    }
  }
}

bool FusedKernel::may_overwrite(int input, int output) const {
  const TileProgram& program = state_->program;
  if (state_->input_sizes[input] != state_->output_sizes[output]) return false;
  const auto is_result = [&](const TileStore& s) { return s.output == output; };
  const auto store = std::ranges::find_if(program.stores, is_result);
  if (store == program.stores.end()) return false;
  int written = program.values[store->value].first;
  if (!store->direct) {
    for (int i = 0; i < static_cast<int>(program.body.size()); ++i) {
      const auto& instruction = program.body[i];
      if (instruction.kind == TileInstruction::Kind::store && is_result(program.stores[instruction.index])) written = i;
    }
  }
  // Words are read where they lie, until their last use; everything narrower is copied when loaded.
  return std::ranges::all_of(program.loads, [&](const TileLoad& load) {
    if (load.input != input) return true;
    const TileValue& value = program.values[load.value];
    const int read = size_of(load.dtype) == sizeof(float) ? value.last : value.first;
    return load.pattern == Pattern::dense && read <= written;
  });
}

}  // namespace qfw::cpu
