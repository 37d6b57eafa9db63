#include "emitter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <optional>

namespace qfw::cpu::x86 {
namespace {

using lowering::Fill;
using Kind = TileInstruction::Kind;
using Way = Pass::Way;
using Vec = Vectors::Vec;
using Address = Vectors::Address;
using Xbyak::Label;
using Xbyak::Reg64;

constexpr int slot_bytes = 64;  // of the stack: a vector of any width
constexpr auto near_jump = Xbyak::CodeGenerator::T_NEAR;

/// A value where arithmetic can take it from: a register, or memory.
class Source {
 public:
  explicit Source(const Vec& vec) : vec_(vec) {}
  explicit Source(const Address& address) : address_(address) {}
  const Xbyak::Operand& operand() const { return address_ ? static_cast<const Xbyak::Operand&>(*address_) : vec_; }

 private:
  Vec vec_{0};
  std::optional<Address> address_;
};

/// A register that holds a value, given back at the end if it was taken for this alone.
class Held {
 public:
  Held(Vectors& vectors, int index, bool own) : vectors_(vectors), index_(index), own_(own) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (own_) vectors_.give(index_);
  }
  Vec operator*() const { return vectors_.vec(index_); }

 private:
  Vectors& vectors_;
  int index_;
  bool own_;
};

/// One function: loops over rows and columns around a body in registers. What serves many rows (sums, rows, numbers) is kept in
/// registers as long as `budget` lasts, then on the stack.
class Emitter {
 public:
  Emitter(const Pass& pass, bool pivots, Vectors& vectors, int steps, int budget)
      : pass_(pass), facts_(pass), pivots_(pivots), c_(vectors), most_vectors_(steps * step_vectors()), budget_(budget) {
    c_.free_all();
    homes_.resize(pass.program.values.size());
    plan();
  }

  void run() {
    for (const Reg64& r : saved()) c_.push(r);
    c_.mov(scratch_, c_.rsp);
    c_.sub(c_.rsp, (slots_ + 2) * slot_bytes);
    c_.and_(c_.rsp, -slot_bytes);
    c_.mov(c_.ptr[c_.rsp], scratch_);
    find_bases();
    c_.mov(pitch_, argument(offsetof(Piece, pitch)));
    set_numbers();
    if (pass_.flat) {
      walk_flat();
    } else {
      walk_blocks();
    }
    c_.mov(c_.rsp, c_.ptr[c_.rsp]);
    const auto registers = saved();
    for (auto r = registers.rbegin(); r != registers.rend(); ++r) c_.pop(*r);
    c_.vzeroupper();
    c_.ret();
  }

 private:
  /// Where a value of the body is, while one vector of it is computed.
  struct Home {
    int reg = -1, mask = -1;
    int load = -1;  ///< not read yet: by this instruction's load
  };
  /// Where something lies that outlives a row: a register or a slot of the stack for each vector of a step.
  struct Kept {
    std::vector<int> reg, slot;
  };
  struct Sums {
    Kept total, squares, pivot;  ///< of blocks; extremes: total
    Kept doubles;                ///< two for each vector; a register, or none: where the caller has them
  };

  int step_vectors() const { return static_cast<int>(tile_step) / c_.lanes(); }
  static std::vector<Reg64> saved() {
    using namespace Xbyak::util;
    return {rbx, rbp, r12, r13, r14, r15};
  }
  Address argument(std::size_t offset) const { return c_.ptr[args_ + static_cast<int>(offset)]; }
  Address slot(int number) const { return c_.ptr[c_.rsp + (number + 1) * slot_bytes]; }
  Way way(std::size_t r) const { return pass_.reduced[r].way; }
  bool takes_part(std::size_t r) const { return !pivots_ || way(r) == Way::moments; }
  static bool per_lane(Way way) { return way == Way::lanes || way == Way::extremes; }
  /// Which vector of a kept set serves vector u of a step.
  int set_of(Way way, int u) const { return per_lane(way) ? u % step_vectors() : u; }

  // ---- what is kept, and where ---------------------------------------------------------------------------------------
  int keep_register() {
    if (budget_ <= 0) return -1;
    --budget_;
    return c_.take();
  }
  Kept keep(int count, bool needs_slot = true) {
    Kept kept;
    for (int i = 0; i < count; ++i) {
      const int reg = keep_register();
      kept.reg.push_back(reg);
      kept.slot.push_back(reg < 0 && needs_slot ? slots_++ : -1);
    }
    return kept;
  }

  void plan() {
    sums_.resize(pass_.reduced.size());
    for (std::size_t r = 0; r < sums_.size() && !pivots_; ++r) {
      const int own = per_lane(way(r)) ? step_vectors() : most_vectors_;
      switch (way(r)) {
        case Way::moments:
          sums_[r].total = keep(own);
          sums_[r].squares = keep(own);
          sums_[r].pivot = keep(own);
          break;
        case Way::blocks:
        case Way::columns:
        case Way::extremes:
          sums_[r].total = keep(own);
          break;
        case Way::doubles:
        case Way::lanes:
          sums_[r].doubles = keep(2 * own, false);
          break;
        case Way::spilled:
          break;
      }
    }
    kept_.resize(homes_.size());
    for (const Fill fill : {Fill::row, Fill::scalar}) {
      for (std::size_t v = 0; v < homes_.size(); ++v) {
        if (pass_.program.values[v].fill != fill || facts_.last[v] < 0) continue;
        if (facts_.is_number[v] && budget_ <= 0) continue;  // a literal then
        kept_[v] = keep(fill == Fill::row ? most_vectors_ : 1);
      }
    }
  }
  bool is_row(std::size_t v) const { return pass_.program.values[v].fill == Fill::row; }

  // ---- general registers ---------------------------------------------------------------------------------------------
  /// Pointers of dense operands, as many as there are registers.
  void find_bases() {
    const auto find = [&](std::map<int, Reg64>& bases, int number, std::size_t list) {
      if (bases.contains(number) || spare_.empty()) return;
      const Reg64 base = spare_.back();
      spare_.pop_back();
      bases.emplace(number, base);
      c_.mov(base, argument(list));
      c_.mov(base, c_.ptr[base + 8 * number]);
    };
    for (const TileInstruction& i : pass_.program.body) {
      if (i.kind == Kind::load && pass_.loads[i.index].dense) {
        find(input_bases_, pass_.loads[i.index].input, offsetof(Piece, inputs));
      }
      if (i.kind == Kind::store) find(output_bases_, pass_.program.stores[i.index].output, offsetof(Piece, outputs));
    }
  }
  Reg64 base(const std::map<int, Reg64>& bases, int number, std::size_t list) {
    const auto at = bases.find(number);
    if (at != bases.end()) return at->second;
    c_.mov(scratch_, argument(list));
    c_.mov(scratch_, c_.ptr[scratch_ + 8 * number]);
    return scratch_;
  }
  Address dense(Reg64 base, DType dtype) const {
    const int size = static_cast<int>(size_of(dtype));
    return c_.ptr[base + index_ * size + u_ * c_.lanes() * size];
  }
  /// Element of a list of rows, of this row and column.
  Address in_line(int line, DType dtype) {
    point_to_line(line);
    const int size = static_cast<int>(size_of(dtype));
    return c_.ptr[scratch_ + column_ * size + u_ * c_.lanes() * size];
  }
  void point_to_line(int line) {
    c_.mov(scratch_, argument(offsetof(Piece, lines)));
    c_.mov(scratch_, c_.ptr[scratch_ + 8 * line]);
    c_.mov(scratch_, c_.ptr[scratch_ + row_ * 8]);
  }
  void point_to(std::size_t list, std::size_t number) {
    c_.mov(scratch_, argument(list));
    c_.mov(scratch_, c_.ptr[scratch_ + static_cast<int>(8 * number)]);
  }
  /// Vector u of `scratch_`'s floats: by column, or lanes.
  Address floats_at(bool lanes, int u) const {
    const int offset = u * static_cast<int>(c_.bytes());
    return lanes ? c_.ptr[scratch_ + offset] : c_.ptr[scratch_ + column_ * 4 + offset];
  }
  Address doubles_at(bool lanes, int half_vector) const {
    const int offset = half_vector * static_cast<int>(c_.bytes());
    return lanes ? c_.ptr[scratch_ + offset] : c_.ptr[scratch_ + column_ * 8 + offset];
  }

  // ---- loops ---------------------------------------------------------------------------------------------------------
  void walk_flat() {
    c_.xor_(row_, row_);
    c_.xor_(column_, column_);
    begin_sums(step_vectors());
    const auto columns = [&](int vectors) {
      Label head, done;
      c_.L(head);
      leave_at_end(vectors, done);
      c_.mov(index_, argument(offsetof(Piece, first)));
      c_.add(index_, column_);
      body(vectors);
      c_.add(column_, vectors * c_.lanes());
      c_.jmp(head, near_jump);
      c_.L(done);
    };
    if (most_vectors_ > step_vectors()) columns(most_vectors_);
    columns(step_vectors());
    end_sums(step_vectors());
  }

  void walk_blocks() {
    Label head, done;
    c_.xor_(row_, row_);
    c_.mov(block_, argument(offsetof(Piece, first)));
    c_.L(head);
    c_.cmp(row_, argument(offsetof(Piece, rows)));
    c_.jge(done, near_jump);
    c_.lea(block_end_, c_.ptr[row_ + static_cast<int>(pass_.block_rows)]);
    c_.cmp(block_end_, argument(offsetof(Piece, rows)));
    c_.cmovg(block_end_, argument(offsetof(Piece, rows)));
    c_.xor_(column_, column_);
    if (most_vectors_ > step_vectors()) walk_columns(most_vectors_);
    walk_columns(step_vectors());
    c_.mov(row_, block_end_);
    c_.mov(scratch_, pitch_);
    if (pass_.block_rows > 1) c_.shl(scratch_, std::countr_zero(static_cast<unsigned>(pass_.block_rows)));
    c_.add(block_, scratch_);
    c_.jmp(head, near_jump);
    c_.L(done);
  }

  /// Down the block, a few columns at a time.
  void walk_columns(int vectors) {
    Label head, done, rows;
    c_.L(head);
    leave_at_end(vectors, done);
    set_rows(vectors);
    begin_sums(vectors);
    c_.lea(index_, c_.ptr[block_ + column_]);
    c_.push(row_);
    pushed_ = 8;
    c_.L(rows);
    if (vectors > step_vectors() && pass_.block_rows > 1) prefetch(vectors);
    body(vectors);
    c_.add(index_, pitch_);
    c_.inc(row_);
    c_.cmp(row_, block_end_);
    c_.jl(rows, near_jump);
    c_.pop(row_);
    pushed_ = 0;
    end_sums(vectors);
    c_.add(column_, vectors * c_.lanes());
    c_.jmp(head, near_jump);
    c_.L(done);
  }

  void leave_at_end(int vectors, Label& done) {
    c_.lea(scratch_, c_.ptr[column_ + vectors * c_.lanes()]);
    c_.cmp(scratch_, argument(offsetof(Piece, cols)));
    c_.jg(done, near_jump);
  }

  /// A block ahead, into the second level: the rows of a block are more streams than the hardware follows, and more than the
  /// first level holds.
  void prefetch(int vectors) {
    c_.lea(scratch_, c_.ptr[index_ + pitch_ * 8]);
    for (const TileInstruction& i : pass_.program.body) {
      if (i.kind != Kind::load || !pass_.loads[i.index].dense) continue;
      const auto base = input_bases_.find(pass_.loads[i.index].input);
      if (base == input_bases_.end()) continue;
      const int size = static_cast<int>(size_of(pass_.loads[i.index].dtype));
      for (int at = 0; at < vectors * c_.lanes() * size; at += 64) c_.prefetcht1(c_.ptr[base->second + scratch_ * size + at]);
    }
  }

  // ---- what serves many rows -----------------------------------------------------------------------------------------
  /// Puts a kept set's vector i where it stays; `write` fills the register that it is told.
  template <class Write>
  void set(const Kept& kept, int i, Write write) {
    if (kept.reg[i] >= 0) {
      write(c_.vec(kept.reg[i]));
      return;
    }
    const Temporary t(c_);
    write(*t);
    c_.vmovups(slot(kept.slot[i]), *t);
  }

  void set_numbers() {
    for (std::size_t v = 0; v < kept_.size(); ++v) {
      if (kept_[v].reg.empty() || is_row(v)) continue;
      set(kept_[v], 0, [&](Vec to) {
        if (facts_.is_number[v]) {
          c_.broadcast_literal(to, std::bit_cast<std::uint32_t>(facts_.number[v]));
        } else {
          point_to(offsetof(Piece, values), v);
          c_.vbroadcastss(to, c_.ptr[scratch_]);
        }
      });
    }
  }

  void set_rows(int vectors) {
    for (std::size_t v = 0; v < kept_.size(); ++v) {
      if (kept_[v].reg.empty() || !is_row(v)) continue;
      point_to(offsetof(Piece, values), v);
      for (int u = 0; u < vectors; ++u) {
        set(kept_[v], u, [&](Vec to) { c_.vmovups(to, floats_at(false, u)); });
      }
    }
  }

  void begin_sums(int vectors) {
    if (pivots_) return;
    for (std::size_t r = 0; r < sums_.size(); ++r) {
      const Sums& s = sums_[r];
      const int own = per_lane(way(r)) ? step_vectors() : vectors;
      switch (way(r)) {
        case Way::moments:
          point_to(offsetof(Piece, floats), r);
          for (int u = 0; u < own; ++u) {
            set(s.pivot, u, [&](Vec to) { c_.vmovups(to, floats_at(false, u)); });
          }
          clear(s.squares, own);
          clear(s.total, own);
          break;
        case Way::blocks:
          clear(s.total, own);
          break;
        case Way::columns:
        case Way::extremes:
          point_to(offsetof(Piece, floats), r);
          for (int u = 0; u < own; ++u) {
            set(s.total, u, [&](Vec to) { c_.vmovups(to, floats_at(per_lane(way(r)), u)); });
          }
          break;
        case Way::doubles:
        case Way::lanes:
          point_to(offsetof(Piece, sums), 2 * r);
          for (int i = 0; i < 2 * own; ++i) {
            if (s.doubles.reg[i] >= 0) c_.vmovupd(c_.vec(s.doubles.reg[i]), doubles_at(per_lane(way(r)), i));
          }
          break;
        case Way::spilled:
          break;
      }
    }
  }
  void clear(const Kept& kept, int count) {
    for (int i = 0; i < count; ++i) {
      set(kept, i, [&](Vec to) { c_.vxorps(to, to, to); });
    }
  }

  void end_sums(int vectors) {
    if (pivots_) return;
    for (std::size_t r = 0; r < sums_.size(); ++r) {
      const Sums& s = sums_[r];
      const int own = per_lane(way(r)) ? step_vectors() : vectors;
      switch (way(r)) {
        case Way::moments:
          add_block(s.total, 2 * r, own);
          add_block(s.squares, 2 * r + 1, own);
          break;
        case Way::blocks:
          add_block(s.total, 2 * r, own);
          break;
        case Way::columns:
        case Way::extremes:
          point_to(offsetof(Piece, floats), r);
          for (int u = 0; u < own; ++u) {
            const Held total = kept(s.total, u);
            c_.vmovups(floats_at(per_lane(way(r)), u), *total);
          }
          break;
        case Way::doubles:
        case Way::lanes:
          point_to(offsetof(Piece, sums), 2 * r);
          for (int i = 0; i < 2 * own; ++i) {
            if (s.doubles.reg[i] >= 0) c_.vmovupd(doubles_at(per_lane(way(r)), i), c_.vec(s.doubles.reg[i]));
          }
          break;
        case Way::spilled:
          break;
      }
    }
  }
  void add_block(const Kept& total, std::size_t set, int vectors) {
    point_to(offsetof(Piece, sums), set);
    for (int u = 0; u < vectors; ++u) {
      const Held sum = kept(total, u);
      for (int half = 0; half < 2; ++half) {
        const Temporary wide(c_);
        c_.half_as_doubles(*wide, *sum, half);
        c_.vaddpd(*wide, *wide, doubles_at(false, 2 * u + half));
        c_.vmovupd(doubles_at(false, 2 * u + half), *wide);
      }
    }
  }
  /// Of a kept set's vector i: its register, or one that it is read into.
  Held kept(const Kept& kept, int i) {
    if (kept.reg[i] >= 0) return {c_, kept.reg[i], false};
    const int t = c_.take();
    c_.vmovups(c_.vec(t), own_slot(kept.slot[i]));
    return {c_, t, true};
  }
  /// A slot, also while the row's number lies on the stack.
  Address own_slot(int number) const { return c_.ptr[c_.rsp + pushed_ + (number + 1) * slot_bytes]; }

  // ---- a row of a step -----------------------------------------------------------------------------------------------
  void body(int vectors) {
    const auto& instructions = pass_.program.body;
    for (u_ = 0; u_ < vectors; ++u_) {
      for (int k = 0; k < static_cast<int>(instructions.size()); ++k) {
        const TileInstruction& i = instructions[k];
        instruction(i);
        for (const int arg : {i.a, i.b, i.c}) release(arg, k);
        if (i.out >= 0 && facts_.last[i.out] < 0) give_up(i.out);
      }
    }
    u_ = 0;
  }

  void release(int value, int position) {
    if (value >= 0 && facts_.last[value] <= position) give_up(value);
  }
  void give_up(int value) {
    Home& home = homes_[value];
    if (home.reg >= 0) c_.give(home.reg);
    if (home.mask >= 0) c_.give_mask(home.mask);
    home = {};
  }

  void instruction(const TileInstruction& i) {
    switch (i.kind) {
      case Kind::load:
        homes_[i.out].load = i.index;  // when it is first needed
        return;
      case Kind::unary:
        return unary(i);
      case Kind::binary:
        return binary(i);
      case Kind::select:
        return select(i);
      case Kind::spread: {
        const int out = c_.take();
        if (facts_.is_number[i.a] && kept_[i.a].reg.empty()) {
          c_.broadcast_literal(c_.vec(out), std::bit_cast<std::uint32_t>(facts_.number[i.a]));
        } else {
          const Held a = hold(i.a);
          c_.vmovups(c_.vec(out), *a);
        }
        homes_[i.out].reg = out;
        return;
      }
      case Kind::store:
        return store(i);
      case Kind::reduce:
        return reduce(i);
    }
  }

  Address load_address(const Pass::Load& load) {
    if (load.dense) return dense(base(input_bases_, load.input, offsetof(Piece, inputs)), load.dtype);
    return in_line(load.line, load.dtype);
  }
  void read(int value) {
    Home& home = homes_[value];
    const Pass::Load& load = pass_.loads[home.load];
    home.reg = c_.take();
    const Vec to = c_.vec(home.reg);
    if (load.one) {
      point_to_line(load.line);
      broadcast_one(to, load.dtype);
    } else {
      c_.load(to, load.dtype, load_address(load));
    }
    home.load = -1;
  }
  /// The element that `scratch_` points to, in all lanes.
  void broadcast_one(Vec to, DType dtype) {
    switch (dtype) {
      case DType::f32:
      case DType::s32:
        c_.vbroadcastss(to, c_.ptr[scratch_]);
        return;
      case DType::bf16:
        c_.vpbroadcastw(to, c_.ptr[scratch_]);
        c_.vpslld(to, to, 16);  // the upper halves hold it as well; this clears the lower ones
        return;
      case DType::u8:
        c_.movzx(scratch_.cvt32(), c_.byte[scratch_]);
        break;
      case DType::s8:
        c_.movsx(scratch_.cvt32(), c_.byte[scratch_]);
        break;
    }
    c_.vmovd(Xbyak::Xmm(to.getIdx()), scratch_.cvt32());
    c_.vpbroadcastd(to, Xbyak::Xmm(to.getIdx()));
    c_.vcvtdq2ps(to, to);
  }

  /// As an operand: where it is, without a register of its own if possible.
  Source source(int value) {
    Home& home = homes_[value];
    if (home.load >= 0) {
      const Pass::Load& load = pass_.loads[home.load];
      const bool word = size_of(load.dtype) == 4;
      if (word && !load.one && facts_.reads[value] == 1) return Source(load_address(load));
      read(value);
    }
    if (home.reg < 0 && home.mask >= 0) make_float(home);
    if (home.reg >= 0) return Source(c_.vec(home.reg));
    const Kept& kept = kept_[value];
    if (kept.reg.empty()) return Source(c_.literal(facts_.number[value]));
    const int u = is_row(value) ? u_ : 0;
    return kept.reg[u] >= 0 ? Source(c_.vec(kept.reg[u])) : Source(own_slot(kept.slot[u]));
  }
  /// In a register.
  Held hold(int value) {
    Home& home = homes_[value];
    if (home.load >= 0) read(value);
    if (home.reg < 0 && home.mask >= 0) make_float(home);
    if (home.reg >= 0) return {c_, home.reg, false};
    const Kept& own = kept_[value];
    if (!own.reg.empty()) return kept(own, is_row(value) ? u_ : 0);
    const int t = c_.take();
    c_.broadcast_literal(c_.vec(t), std::bit_cast<std::uint32_t>(facts_.number[value]));
    return {c_, t, true};
  }
  /// Of a comparison's mask: 1 where it holds.
  void make_float(Home& home) {
    home.reg = c_.take();
    c_.keep_literal(c_.vec(home.reg), home.mask, std::bit_cast<std::uint32_t>(1.0F));
  }

  void unary(const TileInstruction& i) {
    const Held held = hold(i.a);
    const Vec a = *held;
    if (i.unary == TileUnary::is_finite) {
      const Temporary magnitude(c_);
      c_.vandps(*magnitude, a, c_.literal(0x7fffffffU));
      homes_[i.out].mask = c_.take_mask();
      c_.compare(homes_[i.out].mask, *magnitude, c_.literal(std::numeric_limits<float>::infinity()), Vectors::less);
      return;
    }
    const int out = c_.take();
    const Vec to = c_.vec(out);
    switch (i.unary) {
      case TileUnary::negate:
        c_.vxorps(to, a, c_.literal(0x80000000U));
        break;
      case TileUnary::abs:
        c_.vandps(to, a, c_.literal(0x7fffffffU));
        break;
      case TileUnary::relu: {
        const TemporaryMask positive(c_);
        c_.compare(*positive, a, c_.literal(0.0F), Vectors::not_less_equal);
        c_.keep(to, *positive, a);
        break;
      }
      case TileUnary::sqrt:
        c_.vsqrtps(to, a);
        break;
      case TileUnary::floor:
        c_.floor(to, a);
        break;
      case TileUnary::round_even:
        c_.round_even(to, a);
        break;
      case TileUnary::round_bf16:
        c_.round_bf16(to, a, facts_.flushed[i.a]);
        break;
      case TileUnary::to_float:
        c_.vcvtdq2ps(to, a);
        break;
      case TileUnary::to_int:
        c_.to_int(to, a);
        break;
      default:
        break;  // make_passes() let no other through
    }
    homes_[i.out].reg = out;
  }

  void binary(const TileInstruction& i) {
    const Held held = hold(i.a);
    const Vec a = *held;
    if (i.binary == TileBinary::minimum || i.binary == TileBinary::maximum) {
      const int out = c_.take();
      extreme(c_.vec(out), a, i, i.binary == TileBinary::maximum);
      homes_[i.out].reg = out;
      return;
    }
    const Source b = source(i.b);
    if (i.binary >= TileBinary::less) {
      const int mask = c_.take_mask();
      const auto predicate = i.binary == TileBinary::less         ? Vectors::less
                             : i.binary == TileBinary::less_equal ? Vectors::less_equal
                                                                  : Vectors::equal;
      c_.compare(mask, a, b.operand(), predicate);
      homes_[i.out].mask = mask;
      return;
    }
    const int out = c_.take();
    const Vec to = c_.vec(out);
    switch (i.binary) {
      case TileBinary::add:
        c_.vaddps(to, a, b.operand());
        break;
      case TileBinary::subtract:
        c_.vsubps(to, a, b.operand());
        break;
      case TileBinary::multiply:
        c_.vmulps(to, a, b.operand());
        break;
      default:
        c_.vdivps(to, a, b.operand());
        break;
    }
    homes_[i.out].reg = out;
  }

  /// a where it is greater (or less) than b, or NaN; else b. The processor's own maximum takes the second operand where the two
  /// are equal or one is NaN, and makes subnormal numbers zero.
  void extreme(Vec to, Vec a, const TileInstruction& i, bool greater) {
    if (facts_.is_number[i.b] && !std::isnan(facts_.number[i.b])) {
      if (facts_.flushed[i.a] && (facts_.number[i.b] != 0 || facts_.unsigned_zero[i.out])) {
        const Held b = hold(i.b);
        greater ? c_.vmaxps(to, *b, a) : c_.vminps(to, *b, a);
        return;
      }
      const TemporaryMask mask(c_);
      const Held b = hold(i.b);
      c_.compare(*mask, a, *b, greater ? Vectors::not_less_equal : Vectors::not_greater_equal);
      c_.blend(to, *mask, a, *b);
      return;
    }
    const Held b = hold(i.b);
    join(to, a, *b, greater, facts_.flushed[i.a] && facts_.flushed[i.b]);
  }
  /// The same of any two; `to` may be b.
  void join(Vec to, Vec a, Vec b, bool greater, bool flushed) {
    const TemporaryMask mask(c_);
    if (flushed) {
      greater ? c_.vmaxps(to, a, b) : c_.vminps(to, a, b);
      c_.compare(*mask, a, a, Vectors::unordered);
      c_.blend(to, *mask, a, to);
      return;
    }
    const TemporaryMask nan(c_);
    c_.compare(*mask, a, b, greater ? Vectors::greater : Vectors::less);
    c_.compare(*nan, a, a, Vectors::unordered);
    c_.either(*mask, *nan);
    c_.blend(to, *mask, a, b);
  }

  void select(const TileInstruction& i) {
    const int known = homes_[i.a].mask;
    std::optional<TemporaryMask> own;
    if (known < 0) {
      const Held condition = hold(i.a);
      own.emplace(c_);
      c_.compare(**own, *condition, c_.literal(0.0F), Vectors::not_equal);
    }
    const int mask = known >= 0 ? known : **own;
    const bool zero = facts_.is_number[i.c] && std::bit_cast<std::uint32_t>(facts_.number[i.c]) == 0;
    if (zero && facts_.is_number[i.b] && kept_[i.b].reg.empty()) {
      const int out = c_.take();
      c_.keep_literal(c_.vec(out), mask, std::bit_cast<std::uint32_t>(facts_.number[i.b]));
      homes_[i.out].reg = out;
      return;
    }
    if (zero) {
      const Source b = source(i.b);
      const int out = c_.take();
      c_.keep(c_.vec(out), mask, b.operand());
      homes_[i.out].reg = out;
      return;
    }
    const Held no = hold(i.c);
    const Source yes = source(i.b);
    const int out = c_.take();
    c_.blend(c_.vec(out), mask, yes.operand(), *no);
    homes_[i.out].reg = out;
  }

  void store(const TileInstruction& i) {
    const TileStore& store = pass_.program.stores[i.index];
    const Held held = hold(i.a);
    const Address to = dense(base(output_bases_, store.output, offsetof(Piece, outputs)), store.dtype);
    if (store.rounds) {
      c_.store_rounding(to, *held, facts_.flushed[i.a]);
    } else {
      c_.store(to, store.dtype, *held, facts_.flushed[i.a]);
    }
  }

  // ---- reductions ----------------------------------------------------------------------------------------------------
  void reduce(const TileInstruction& i) {
    const auto r = static_cast<std::size_t>(i.index);
    if (!takes_part(r)) return;
    const Held held = hold(i.a);
    const Vec x = *held;
    if (pivots_) return write_pivot(r, x);
    const Sums& s = sums_[r];
    const int u = set_of(way(r), u_);
    switch (way(r)) {
      case Way::blocks:
        change(s.total, u, [&](Vec sum) { c_.vaddps(sum, sum, x); });
        return;
      case Way::moments: {
        const Temporary value(c_);
        {
          const Held pivot = kept(s.pivot, u);
          c_.vsubps(*value, x, *pivot);
        }
        change(s.total, u, [&](Vec sum) { c_.vaddps(sum, sum, *value); });
        c_.vmulps(*value, *value, *value);
        change(s.squares, u, [&](Vec sum) { c_.vaddps(sum, sum, *value); });
        return;
      }
      case Way::columns:
      case Way::extremes:
        change(s.total, u, [&](Vec so_far) { join(so_far, x, so_far, pass_.reduced[r].is_max, facts_.flushed[i.a]); });
        return;
      case Way::doubles:
      case Way::lanes:
        for (int half = 0; half < 2; ++half) add_doubles(r, 2 * u + half, x, half);
        return;
      case Way::spilled:
        c_.vmovups(in_line(pass_.reduced[r].line, DType::f32), x);
        return;
    }
  }

  template <class Change>
  void change(const Kept& set, int i, Change change) {
    const Held value = kept(set, i);
    change(*value);
    if (set.reg[i] < 0) c_.vmovups(own_slot(set.slot[i]), *value);
  }

  void add_doubles(std::size_t r, int half_vector, Vec x, int half) {
    const Temporary wide(c_);
    c_.half_as_doubles(*wide, x, half);
    const int own = sums_[r].doubles.reg[half_vector];
    if (own >= 0) {
      c_.vaddpd(c_.vec(own), c_.vec(own), *wide);
      return;
    }
    point_to(offsetof(Piece, sums), 2 * r);
    const Address sum = doubles_at(per_lane(way(r)), half_vector);
    const Temporary total(c_);
    c_.vmovupd(*total, sum);
    c_.vaddpd(*total, *total, *wide);
    c_.vmovupd(sum, *total);
  }

  /// Where it is finite, else 0.
  void write_pivot(std::size_t r, Vec x) {
    const Temporary value(c_);
    const TemporaryMask finite(c_);
    c_.vandps(*value, x, c_.literal(0x7fffffffU));
    c_.compare(*finite, *value, c_.literal(std::numeric_limits<float>::infinity()), Vectors::less);
    c_.keep(*value, *finite, x);
    point_to(offsetof(Piece, floats), r);
    c_.vmovups(floats_at(false, u_), *value);
  }

  const Pass& pass_;
  Facts facts_;
  bool pivots_;
  Vectors& c_;
  int most_vectors_;  ///< of a step of the main loop
  int budget_;        ///< registers that may still be kept
  int slots_ = 0, pushed_ = 0;
  int u_ = 0;  ///< vector of the step that is being written
  std::vector<Home> homes_;
  std::vector<Kept> kept_;
  std::vector<Sums> sums_;
  const Reg64 args_ = Xbyak::util::rdi;
  const Reg64 index_ = Xbyak::util::rax;  ///< of an element, in dense operands
  const Reg64 row_ = Xbyak::util::rcx;
  const Reg64 column_ = Xbyak::util::rdx;
  const Reg64 pitch_ = Xbyak::util::rsi;
  const Reg64 block_ = Xbyak::util::rbp;  ///< index of its first element
  const Reg64 block_end_ = Xbyak::util::rbx;
  const Reg64 scratch_ = Xbyak::util::r15;
  std::vector<Reg64> spare_{Xbyak::util::r14, Xbyak::util::r13, Xbyak::util::r12, Xbyak::util::r11,
                            Xbyak::util::r10, Xbyak::util::r9,  Xbyak::util::r8};
  std::map<int, Reg64> input_bases_, output_bases_;
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
        Emitter(passes.whole, false, vectors, steps, budget).run();
        if (passes.whole.has_pivots) {
          vectors.align(64);
          entries.pivots = vectors.getSize();
          Emitter(passes.pivots, true, vectors, 1, budget).run();
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
