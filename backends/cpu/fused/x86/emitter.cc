#include "emitter.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "body_code.h"
#include "frame.h"
#include "sums.h"

namespace qfw::cpu::x86 {
namespace {

using Kind = TileInstruction::Kind;
using Xbyak::Label;

constexpr auto near_jump = Xbyak::CodeGenerator::T_NEAR;

/// One function: loops over rows and columns around the body.
class Loops {
 public:
  /// `steps`: shortest steps that the main loop takes at once. `budget`: registers for what outlives a row.
  Loops(const Pass& pass, bool pivots, Vectors& vectors, int steps, int budget)
      : pass_(pass),
        facts_(pass),
        frame_(pass, vectors, budget),
        c_(vectors),
        most_vectors_(steps * frame_.step_vectors()),
        sums_(frame_, facts_, most_vectors_, pivots),
        body_(frame_, sums_, facts_, most_vectors_) {}

  void emit() {
    frame_.enter();
    body_.set_numbers();
    if (pass_.flat) {
      walk_flat();
    } else {
      walk_blocks();
    }
    frame_.leave();
  }

 private:
  /// Along the one row there is; lanes add up all of it.
  void walk_flat() {
    c_.xor_(frame_.row, frame_.row);
    c_.xor_(frame_.column, frame_.column);
    sums_.begin(frame_.step_vectors());
    if (has_main_loop()) walk_row(most_vectors_);
    walk_row(frame_.step_vectors());
    sums_.end(frame_.step_vectors());
  }

  void walk_row(int vectors) {
    Label head, done;
    c_.L(head);
    leave_at_end(vectors, done);
    c_.mov(frame_.index, frame_.argument(offsetof(Piece, first)));
    c_.add(frame_.index, frame_.column);
    body_.row(vectors);
    c_.add(frame_.column, vectors * c_.lanes());
    c_.jmp(head, near_jump);
    c_.L(done);
  }

  void walk_blocks() {
    Label head, done;
    c_.xor_(frame_.row, frame_.row);
    c_.mov(frame_.block, frame_.argument(offsetof(Piece, first)));
    c_.L(head);
    c_.cmp(frame_.row, frame_.argument(offsetof(Piece, rows)));
    c_.jge(done, near_jump);
    c_.lea(frame_.block_end, c_.ptr[frame_.row + static_cast<int>(pass_.block_rows)]);
    c_.cmp(frame_.block_end, frame_.argument(offsetof(Piece, rows)));
    c_.cmovg(frame_.block_end, frame_.argument(offsetof(Piece, rows)));
    c_.xor_(frame_.column, frame_.column);
    body_.set_row();
    if (has_main_loop()) walk_columns(most_vectors_);
    walk_columns(frame_.step_vectors());
    c_.mov(frame_.row, frame_.block_end);
    c_.mov(frame_.scratch, frame_.pitch);
    if (pass_.block_rows > 1) c_.shl(frame_.scratch, std::countr_zero(static_cast<unsigned>(pass_.block_rows)));
    c_.add(frame_.block, frame_.scratch);
    c_.jmp(head, near_jump);
    c_.L(done);
  }

  /// Down the block, a step of columns at a time.
  void walk_columns(int vectors) {
    Label head, done;
    c_.L(head);
    leave_at_end(vectors, done);
    body_.set_rows(vectors);
    sums_.begin(vectors);
    c_.lea(frame_.index, c_.ptr[frame_.block + frame_.column]);
    if (pass_.block_rows == 1) {
      body_.row(vectors);
    } else {
      walk_rows(vectors);
    }
    sums_.end(vectors);
    c_.add(frame_.column, vectors * c_.lanes());
    c_.jmp(head, near_jump);
    c_.L(done);
  }

  void walk_rows(int vectors) {
    Label rows;
    frame_.push_row();
    c_.L(rows);
    if (vectors > frame_.step_vectors()) prefetch(vectors);
    body_.row(vectors);
    c_.add(frame_.index, frame_.pitch);
    c_.inc(frame_.row);
    c_.cmp(frame_.row, frame_.block_end);
    c_.jl(rows, near_jump);
    frame_.pop_row();
  }

  bool has_main_loop() const { return most_vectors_ > frame_.step_vectors(); }

  void leave_at_end(int vectors, Label& done) {
    c_.lea(frame_.scratch, c_.ptr[frame_.column + vectors * c_.lanes()]);
    c_.cmp(frame_.scratch, frame_.argument(offsetof(Piece, cols)));
    c_.jg(done, near_jump);
  }

  /// A block ahead, into the second level: the rows of a block are more streams than the hardware follows, and more than the
  /// first level holds. So is what is written, unless it may lie over an input: the lines that stores wait for are as many.
  void prefetch(int vectors) {
    c_.lea(frame_.scratch, c_.ptr[frame_.index + frame_.pitch * 8]);
    for (const TileInstruction& i : pass_.program.body) {
      if (i.kind == Kind::load && pass_.loads[i.index].dense) {
        prefetch(frame_.base_of_input(pass_.loads[i.index].input), pass_.loads[i.index].dtype, vectors);
      } else if (i.kind == Kind::store && writes_elsewhere()) {
        prefetch(frame_.base_of_output(pass_.program.stores[i.index].output), pass_.program.stores[i.index].dtype, vectors);
      }
    }
  }

  /// Whether there is an output that is as wide as no input, so that it lies over none.
  bool writes_elsewhere() const {
    return std::ranges::any_of(pass_.program.stores, [&](const TileStore& store) {
      return std::ranges::none_of(
          pass_.loads, [&](const Pass::Load& load) { return load.dense && size_of(load.dtype) == size_of(store.dtype); });
    });
  }

  void prefetch(const Xbyak::Reg64* base, DType dtype, int vectors) {
    if (base == nullptr) return;
    const int size = static_cast<int>(size_of(dtype));
    for (int at = 0; at < vectors * c_.lanes() * size; at += 64) c_.prefetcht1(c_.ptr[*base + frame_.scratch * size + at]);
  }

  const Pass& pass_;
  const Facts facts_;
  Frame frame_;
  Vectors& c_;
  int most_vectors_;  ///< of a step of the main loop
  Sums sums_;         ///< come first where registers are kept: every row changes them
  BodyCode body_;
};

}  // namespace

Entries emit(const Passes& passes, Vectors& vectors) {
  // More kept registers are better, two steps at once as well, as long as the body has enough left.
  for (const int steps : {2, 1}) {
    if (steps == 2 && vectors.registers() < 32) continue;
    for (int budget = vectors.registers() - 4; budget >= 0; budget -= 2) {
      try {
        vectors.start_over();
        Entries entries;
        Loops(passes.whole, false, vectors, steps, budget).emit();
        if (passes.whole.has_pivots) {
          vectors.align(64);
          entries.pivots = vectors.getSize();
          Loops(passes.pivots, true, vectors, 1, budget).emit();
        }
        vectors.emit_literals();
        return entries;
      } catch (const OutOfRegisters&) {
        continue;
      }
    }
  }
  throw OutOfRegisters();
}

}  // namespace qfw::cpu::x86
