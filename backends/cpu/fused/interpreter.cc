#include "interpreter.h"

#include <algorithm>
#include <cstring>

namespace qfw::cpu {
namespace {

using lowering::Fill;
using lowering::Pattern;

constexpr std::int64_t cache_floats = 5120;  // what all buffers of a tile may take, of a first-level cache of 32 KB
constexpr auto step = static_cast<std::int64_t>(tile_step);

const std::byte* at(const void* base, std::int64_t index, DType dtype) {
  return static_cast<const std::byte*>(base) + index * static_cast<std::int64_t>(size_of(dtype));
}
std::byte* at(void* base, std::int64_t index, DType dtype) {
  return static_cast<std::byte*>(base) + index * static_cast<std::int64_t>(size_of(dtype));
}

}  // namespace

Interpreter::Interpreter(const lowering::FusedProgram& program) : source_(program), program_(compile_tiles(program)) {}

std::int64_t Interpreter::tile_elements() const {
  return std::clamp<std::int64_t>(cache_floats / std::max(1, program_.full_buffers), 256, 2048) / 64 * 64;
}

void Interpreter::prepare(const Tiling& tiling, Reductions& reductions, int threads, std::int64_t tile_floats) {
  tiling_ = &tiling;
  tile_floats_ = tile_floats;
  reductions_ = &reductions;
  rows_at_ = program_.full_buffers * tile_floats;
  scalars_at_ = rows_at_ + program_.row_buffers * tiling.padded_cols();
  thread_floats_ = scalars_at_ + program_.scalar_buffers * step + step;
  scratch_ = AlignedFloats(thread_floats_ * threads);
  pointers_.resize(pointer_stride() * threads);
  rows_.resize(pointers_.size());
  for (int thread = 0; thread < threads; ++thread) {
    float* own = floats(thread);
    for (std::size_t v = 0; v < program_.values.size(); ++v) {
      const TileValue& value = program_.values[v];
      if (value.buffer < 0) continue;
      own_pointers(thread)[v] = value.fill == Fill::full  ? own + value.buffer * tile_floats
                                : value.fill == Fill::row ? own + rows_at_ + value.buffer * tiling.padded_cols()
                                                          : own + scalars_at_ + value.buffer * step;
    }
    std::copy_n(own_pointers(thread), program_.values.size(), own_rows(thread));
    for (std::size_t i = 0; i < program_.numbers.size(); ++i) {
      std::fill_n(own + scalars_at_ + i * tile_step, tile_step, program_.numbers[i]);
    }
  }
  for (const auto& instruction : program_.body) {
    for (const int arg : {instruction.a, instruction.b, instruction.c}) {
      if (arg >= 0 && program_.values[arg].fill == Fill::row) rows_in_body_.push_back(arg);
    }
  }
  std::ranges::sort(rows_in_body_);
  rows_in_body_.erase(std::unique(rows_in_body_.begin(), rows_in_body_.end()), rows_in_body_.end());
}

void Interpreter::move_rows(int thread, std::int64_t col) {
  for (const int value : rows_in_body_) own_pointers(thread)[value] = own_rows(thread)[value] + col;
}

void Interpreter::prologue(const Operands& operands, int thread) {
  float** pointer = own_pointers(thread);
  move_rows(thread, 0);
  for (const auto& instruction : program_.prologue) {
    const bool row = program_.values[instruction.out].fill == Fill::row;
    const std::int64_t n = row ? tiling_->padded_cols() : step;
    if (instruction.kind == TileInstruction::Kind::load && row && lies_as_needed(program_.loads[instruction.index])) {
      const void* operand = operands.inputs[program_.loads[instruction.index].input];
      own_rows(thread)[instruction.out] = pointer[instruction.out] =
          const_cast<float*>(static_cast<const float*>(operand));  // only read
    } else if (instruction.kind == TileInstruction::Kind::load) {
      load_small(operands, program_.loads[instruction.index], row, pointer[instruction.out]);
    } else {
      execute(instruction, pointer, 1, n);
    }
  }
}

/// Whether a row need not be copied: it is of floats, and as long as rows of buffers are.
bool Interpreter::lies_as_needed(const TileLoad& load) const {
  return load.dtype == DType::f32 && tiling_->repeat == 1 && source_.space.cols() == tiling_->padded_cols();
}

void Interpreter::load_small(const Operands& operands, const TileLoad& load, bool row, float* to) const {
  const auto convert = ops_.load[static_cast<int>(load.dtype)];
  const std::int64_t own = row ? source_.space.cols() : 1;
  convert(operands.inputs[load.input], to, own);
  if (!row) {
    std::fill_n(to + 1, tile_step - 1, to[0]);
    return;
  }
  for (std::int64_t i = 1; i < tiling_->repeat; ++i) std::memcpy(to + i * own, to, own * sizeof(float));
}

void Interpreter::run(const Operands& operands, const Tile& tile, std::size_t chunk, int thread) {
  float** pointer = own_pointers(thread);
  move_rows(thread, tile.col);
  for (const TileStore& store : program_.stores) {
    if (!store.direct) continue;
    pointer[store.value] = tile.direct ? reinterpret_cast<float*>(at(operands.outputs[store.output], tile.first, store.dtype))
                                       : full_buffer(thread, store.value);
  }
  for (const TileInstruction& instruction : program_.body) {
    switch (instruction.kind) {
      case TileInstruction::Kind::load: {
        const TileLoad& from = program_.loads[instruction.index];
        load(operands.inputs[from.input], from, tile, pointer[instruction.out], full_buffer(thread, instruction.out));
        break;
      }
      case TileInstruction::Kind::store: {
        const TileStore& to = program_.stores[instruction.index];
        store(operands.outputs[to.output], to, tile, pointer[instruction.a]);
        break;
      }
      case TileInstruction::Kind::reduce:
        reductions_->add(instruction.index, tile, pointer[instruction.a], chunk, thread);
        break;
      default:
        execute(instruction, pointer, tile.rows, tile.pitch);
    }
  }
}

TileKind Interpreter::kind_of(int a, int b) const {
  const Fill fill_a = program_.values[a].fill, fill_b = program_.values[b].fill;
  if (fill_a == fill_b) return TileKind::full_full;
  if (fill_a == Fill::scalar) return TileKind::scalar_full;
  if (fill_b == Fill::scalar) return TileKind::full_scalar;
  return fill_a == Fill::row ? TileKind::row_full : TileKind::full_row;
}

/// What touches no memory but buffers: `rows` times `cols` floats, cols a multiple of the step.
void Interpreter::execute(const TileInstruction& i, float* const* pointer, std::int64_t rows, std::int64_t cols) const {
  using Kind = TileInstruction::Kind;
  float* out = pointer[i.out];
  switch (i.kind) {
    case Kind::unary:
      ops_.unary[static_cast<int>(i.unary)](pointer[i.a], out, rows * cols);
      break;
    case Kind::binary: {
      const auto binary = ops_.binary[static_cast<int>(i.binary)][static_cast<int>(kind_of(i.a, i.b))];
      binary(pointer[i.a], pointer[i.b], out, rows, cols);
      break;
    }
    case Kind::select: {
      const Fill fill = program_.values[i.out].fill;
      const bool number_b = program_.values[i.b].fill != fill, number_c = program_.values[i.c].fill != fill;
      const SelectKind kind = number_b ? (number_c ? SelectKind::scalar_scalar : SelectKind::scalar_full)
                                       : (number_c ? SelectKind::full_scalar : SelectKind::full_full);
      ops_.select[static_cast<int>(kind)](pointer[i.a], pointer[i.b], pointer[i.c], out, rows * cols);
      break;
    }
    case Kind::spread:
      if (program_.values[i.a].fill == Fill::scalar) {
        std::fill_n(out, rows * cols, *pointer[i.a]);
      } else {
        for (std::int64_t row = 0; row < rows; ++row) std::memcpy(out + row * cols, pointer[i.a], cols * sizeof(float));
      }
      break;
    default:
      break;
  }
}

void Interpreter::load(const void* base, const TileLoad& load, const Tile& tile, float*& pointer, float* buffer) const {
  const auto convert = ops_.load[static_cast<int>(load.dtype)];
  pointer = buffer;
  if (load.pattern == Pattern::strided) return load_strided(base, load, tile, buffer);
  const std::byte* from = at(base, tile.first, load.dtype);
  if (tile.direct && size_of(load.dtype) == sizeof(float)) {
    pointer = const_cast<float*>(reinterpret_cast<const float*>(from));  // only read, unless may_overwrite() said so
    return;
  }
  if (tile.contiguous) return convert(from, buffer, tile.rows * tile.cols);
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    convert(at(base, tile.first + row * tiling_->cols, load.dtype), buffer + row * tile.pitch, tile.cols);
  }
}

void Interpreter::load_strided(const void* base, const TileLoad& load, const Tile& tile, float* buffer) const {
  const auto convert = ops_.load[static_cast<int>(load.dtype)];
  const std::int64_t stride = load.strides[source_.space.extents.size() - 1];
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    float* to = buffer + row * tile.pitch;
    const std::int64_t first = offset_of_row(source_.space, tile.row + row, load.strides) + tile.col * stride;
    if (stride == 1) {
      convert(at(base, first, load.dtype), to, tile.cols);
    } else if (stride == 0) {
      convert(at(base, first, load.dtype), to, 1);
      std::fill_n(to + 1, tile.cols - 1, *to);
    } else {
      for (std::int64_t col = 0; col < tile.cols; ++col) convert(at(base, first + col * stride, load.dtype), to + col, 1);
    }
  }
}

void Interpreter::store(void* base, const TileStore& store, const Tile& tile, const float* from) const {
  if (store.direct && tile.direct) return;
  const auto convert = store.rounds ? ops_.store_rounding : ops_.store[static_cast<int>(store.dtype)];
  if (tile.contiguous) return convert(from, at(base, tile.first, store.dtype), tile.rows * tile.cols);
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    convert(from + row * tile.pitch, at(base, tile.first + row * tiling_->cols, store.dtype), tile.cols);
  }
}

bool Interpreter::may_overwrite(int input, int output) const {
  const auto is_result = [&](const TileStore& s) { return s.output == output; };
  const auto store = std::ranges::find_if(program_.stores, is_result);
  if (store == program_.stores.end()) return false;
  int written = program_.values[store->value].first;
  if (!store->direct) {
    for (int i = 0; i < static_cast<int>(program_.body.size()); ++i) {
      const auto& instruction = program_.body[i];
      if (instruction.kind == TileInstruction::Kind::store && is_result(program_.stores[instruction.index])) written = i;
    }
  }
  // Words are read where they lie, until their last use; everything narrower is copied when loaded.
  return std::ranges::all_of(program_.loads, [&](const TileLoad& load) {
    if (load.input != input) return true;
    const TileValue& value = program_.values[load.value];
    const int read = size_of(load.dtype) == sizeof(float) ? value.last : value.first;
    return size_of(load.dtype) == size_of(store->dtype) && load.pattern == Pattern::dense && read <= written;
  });
}

}  // namespace qfw::cpu
