#include "body_code.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "elementary_code.h"

namespace qfw::cpu::x86 {

using lowering::Fill;
using Kind = TileInstruction::Kind;

namespace {

constexpr std::uint32_t one = std::bit_cast<std::uint32_t>(1.0F);

Vectors::Predicate predicate_of(TileBinary comparison, bool inverted) {
  switch (comparison) {
    case TileBinary::less:
      return inverted ? Vectors::not_less : Vectors::less;
    case TileBinary::less_equal:
      return inverted ? Vectors::not_less_equal : Vectors::less_equal;
    default:
      return inverted ? Vectors::not_equal : Vectors::equal;
  }
}

}  // namespace

BodyCode::BodyCode(Frame& frame, Sums& sums, const Facts& facts, int most_vectors)
    : frame_(frame), c_(frame.c), sums_(sums), facts_(facts), program_(frame.pass.program) {
  homes_.resize(program_.values.size());
  kept_.resize(program_.values.size());
  for (const Fill fill : {Fill::row, Fill::scalar}) {
    for (std::size_t v = 0; v < kept_.size(); ++v) {
      if (program_.values[v].fill != fill || facts.last[v] < 0) continue;
      if (facts.is_number[v] && !frame.may_keep()) continue;
      kept_[v] = frame.keep(fill == Fill::row ? most_vectors : 1);
    }
  }
  if (frame.pass.flat || frame.pass.block_rows > 1) return;
  for (const TileInstruction& i : program_.body) {
    if (i.kind == Kind::load && frame.pass.loads[i.index].one && facts.last[i.out] >= 0) kept_[i.out] = frame.keep(1);
  }
}

void BodyCode::set_row() {
  for (const TileInstruction& i : program_.body) {
    if (i.kind != Kind::load || kept_[i.out].reg.empty()) continue;
    const Pass::Load& load = frame_.pass.loads[i.index];
    frame_.point_to_line(load.line);
    frame_.set(kept_[i.out], 0, [&](Vec to) { broadcast(to, load.dtype); });
  }
}

void BodyCode::set_numbers() {
  for (std::size_t v = 0; v < kept_.size(); ++v) {
    if (kept_[v].reg.empty() || program_.values[v].fill != Fill::scalar) continue;
    frame_.set(kept_[v], 0, [&](Vec to) {
      if (facts_.is_number[v]) {
        c_.broadcast_literal(to, bits_of(static_cast<int>(v)));
      } else {
        frame_.point_to(offsetof(Piece, values), v);
        c_.vbroadcastss(to, c_.ptr[frame_.scratch]);
      }
    });
  }
}

void BodyCode::set_rows(int vectors) {
  for (std::size_t v = 0; v < kept_.size(); ++v) {
    if (kept_[v].reg.empty() || !is_row(v)) continue;
    frame_.point_to(offsetof(Piece, values), v);
    for (int u = 0; u < vectors; ++u) {
      frame_.set(kept_[v], u, [&](Vec to) { c_.vmovups(to, frame_.floats_at(false, u)); });
    }
  }
}

void BodyCode::row(int vectors) {
  for (frame_.u = 0; frame_.u < vectors; ++frame_.u) {
    for (int k = 0; k < static_cast<int>(program_.body.size()); ++k) {
      const TileInstruction& i = program_.body[k];
      if (rounds_for_store(k)) {
        round_and_store(i, program_.body[k + 1]);
      } else if (k == 0 || !rounds_for_store(k - 1)) {
        instruction(i);
      }
      for (const int arg : {i.a, i.b, i.c}) release(arg, k);
      if (i.out >= 0 && facts_.last[i.out] < 0) give_up(i.out);
    }
  }
  frame_.u = 0;
}

std::uint32_t BodyCode::bits_of(int value) const { return std::bit_cast<std::uint32_t>(facts_.number[value]); }

void BodyCode::release(int value, int position) {
  if (value >= 0 && facts_.last[value] <= position) give_up(value);
}

void BodyCode::give_up(int value) {
  Home& home = homes_[value];
  if (home.reg >= 0) c_.give(home.reg);
  if (home.mask >= 0) c_.give_mask(home.mask);
  home = {};
}

void BodyCode::instruction(const TileInstruction& i) {
  switch (i.kind) {
    case Kind::load:
      if (kept_[i.out].reg.empty()) homes_[i.out].load = i.index;  // when it is first needed
      return;
    case Kind::unary:
      return unary(i);
    case Kind::binary:
      return binary(i);
    case Kind::select:
      return select(i);
    case Kind::spread:
      return spread(i);
    case Kind::store:
      return store(i);
    case Kind::reduce:
      return reduce(i);
  }
}

// ---- where values are ------------------------------------------------------------------------------------------------
BodyCode::Source BodyCode::source(int value) {
  Home& home = homes_[value];
  if (home.load >= 0) {
    const Pass::Load& load = frame_.pass.loads[home.load];
    const bool word = size_of(load.dtype) == 4;
    if (word && !load.one && facts_.reads[value] == 1) return Source(frame_.input(load));
    read(value);
  }
  if (home.reg < 0 && home.mask >= 0) make_float(home);
  if (home.reg >= 0) return Source(c_.vec(home.reg));
  const Kept& kept = kept_[value];
  if (kept.reg.empty()) return Source(c_.literal(facts_.number[value]));
  const int u = is_row(value) ? frame_.u : 0;
  return kept.reg[u] >= 0 ? Source(c_.vec(kept.reg[u])) : Source(frame_.slot_of(kept.slot[u]));
}

Held BodyCode::hold(int value) {
  Home& home = homes_[value];
  if (home.load >= 0) read(value);
  if (home.reg < 0 && home.mask >= 0) make_float(home);
  if (home.reg >= 0) return {c_, home.reg, false};
  if (!kept_[value].reg.empty()) return frame_.kept(kept_[value], is_row(value) ? frame_.u : 0);
  const int t = c_.take();
  c_.broadcast_literal(c_.vec(t), bits_of(value));
  return {c_, t, true};
}

void BodyCode::read(int value) {
  Home& home = homes_[value];
  const Pass::Load& load = frame_.pass.loads[home.load];
  home.reg = c_.take();
  home.load = -1;
  const Vec to = c_.vec(home.reg);
  if (load.one) {
    frame_.point_to_line(load.line);
    broadcast(to, load.dtype);
  } else {
    c_.load(to, load.dtype, frame_.input(load));
  }
}

/// The element that `scratch` points to, in all lanes.
void BodyCode::broadcast(Vec to, DType dtype) {
  const Xbyak::Reg64 scratch = frame_.scratch;
  switch (dtype) {
    case DType::f32:
    case DType::s32:
      c_.vbroadcastss(to, c_.ptr[scratch]);
      return;
    case DType::bf16:
      c_.vpbroadcastw(to, c_.ptr[scratch]);
      c_.vpslld(to, to, 16);  // the upper halves hold it as well; this clears the lower ones
      return;
    case DType::u8:
      c_.movzx(scratch.cvt32(), c_.byte[scratch]);
      break;
    case DType::s8:
      c_.movsx(scratch.cvt32(), c_.byte[scratch]);
      break;
    case DType::f16:  // declined (CpuBackend::supports)
      return;
  }
  c_.vmovd(Xbyak::Xmm(to.getIdx()), scratch.cvt32());
  c_.vpbroadcastd(to, Xbyak::Xmm(to.getIdx()));
  c_.vcvtdq2ps(to, to);
}

/// Of a comparison's mask: 1 where it holds.
void BodyCode::make_float(Home& home) {
  home.reg = c_.take();
  c_.keep_literal(c_.vec(home.reg), home.mask, one);
}

// ---- arithmetic ------------------------------------------------------------------------------------------------------
void BodyCode::unary(const TileInstruction& i) {
  const Held held = hold(i.a);
  const Vec a = *held;
  if (i.unary == TileUnary::is_finite) {
    const Temporary magnitude(c_);
    c_.vandps(*magnitude, a, c_.literal(0x7fffffffU));
    Home& home = homes_[i.out];
    home.mask = c_.take_mask();
    home.inverted = is_condition_of_reductions(i.out);
    c_.compare(home.mask, *magnitude, c_.literal(std::numeric_limits<float>::infinity()),
               home.inverted ? Vectors::not_less : Vectors::less);
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
    case TileUnary::relu:
      relu(i, to, a);
      break;
    case TileUnary::exp:
      emit_exp(c_, to, a);
      break;
    case TileUnary::log:
      emit_log(c_, to, a);
      break;
    case TileUnary::tanh:
      emit_tanh(c_, to, a);
      break;
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
      break;  // is_finite, above
  }
  homes_[i.out].reg = out;
}

/// What it lets through is what is not 0 then.
void BodyCode::relu(const TileInstruction& i, Vec to, Vec a) {
  const int condition = zeros_counted(i.out);
  const int positive = c_.take_mask();
  c_.compare(positive, a, c_.literal(0.0F), Vectors::not_less_equal);
  c_.keep(to, positive, a);
  if (condition < 0) return c_.give_mask(positive);
  homes_[condition].mask = positive;
  homes_[condition].inverted = true;
}

void BodyCode::binary(const TileInstruction& i) {
  if (homes_[i.out].mask >= 0) return;  // relu's
  const Held held = hold(i.a);
  const Vec a = *held;
  if (i.binary == TileBinary::minimum || i.binary == TileBinary::maximum) {
    const int out = c_.take();
    extreme(i, c_.vec(out), a, i.binary == TileBinary::maximum);
    homes_[i.out].reg = out;
    return;
  }
  const Source b = source(i.b);
  if (i.binary >= TileBinary::less) {
    Home& home = homes_[i.out];
    home.mask = c_.take_mask();
    home.inverted = is_condition_of_reductions(i.out);
    c_.compare(home.mask, a, b.operand(), predicate_of(i.binary, home.inverted));
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

/// Beside a number the processor's own maximum does, with the operands exchanged: it takes the second one where they are equal
/// or one is NaN. It makes subnormal numbers zero.
void BodyCode::extreme(const TileInstruction& i, Vec to, Vec a, bool greater) {
  const Held b = hold(i.b);
  const bool is_number = facts_.is_number[i.b] && !std::isnan(facts_.number[i.b]);
  if (!is_number) return emit_extreme(c_, to, a, *b, greater, facts_.flushed[i.a] && facts_.flushed[i.b]);
  if (facts_.flushed[i.a] && (facts_.number[i.b] != 0 || facts_.unsigned_zero[i.out])) {
    greater ? c_.vmaxps(to, *b, a) : c_.vminps(to, *b, a);
    return;
  }
  const TemporaryMask mask(c_);
  c_.compare(*mask, a, *b, greater ? Vectors::not_less_equal : Vectors::not_greater_equal);
  c_.blend(to, *mask, a, *b);
}

void BodyCode::select(const TileInstruction& i) {
  const int known = homes_[i.a].mask;
  std::optional<TemporaryMask> own;
  if (known < 0) {
    const Held condition = hold(i.a);
    own.emplace(c_);
    c_.compare(**own, *condition, c_.literal(0.0F), Vectors::not_equal);
  }
  const int mask = known >= 0 ? known : **own;
  const bool else_zero = facts_.is_number[i.c] && bits_of(i.c) == 0;
  if (else_zero && facts_.is_number[i.b] && kept_[i.b].reg.empty()) {
    const int out = c_.take();
    c_.keep_literal(c_.vec(out), mask, bits_of(i.b));
    homes_[i.out].reg = out;
  } else if (else_zero) {
    const Source yes = source(i.b);
    const int out = c_.take();
    c_.keep(c_.vec(out), mask, yes.operand());
    homes_[i.out].reg = out;
  } else {
    const Held no = hold(i.c);
    const Source yes = source(i.b);
    const int out = c_.take();
    c_.blend(c_.vec(out), mask, yes.operand(), *no);
    homes_[i.out].reg = out;
  }
}

void BodyCode::spread(const TileInstruction& i) {
  const int out = c_.take();
  if (facts_.is_number[i.a] && kept_[i.a].reg.empty()) {
    c_.broadcast_literal(c_.vec(out), bits_of(i.a));
  } else {
    const Held a = hold(i.a);
    c_.vmovups(c_.vec(out), *a);
  }
  homes_[i.out].reg = out;
}

void BodyCode::store(const TileInstruction& i) {
  const TileStore& store = program_.stores[i.index];
  const Held value = hold(i.a);
  const Address to = frame_.output(store);
  if (const auto& high = frame_.pass.clipped[i.index]) {
    c_.store_clipped(to, *value, *high);
  } else if (store.rounds) {
    c_.store_rounding(to, *value, facts_.flushed[i.a]);
  } else {
    c_.store(to, store.dtype, *value, facts_.flushed[i.a]);
  }
}

/// Whether what is rounded to bf16 here goes to memory with the next instruction.
bool BodyCode::rounds_for_store(int position) const {
  if (position + 1 >= static_cast<int>(program_.body.size())) return false;
  const TileInstruction &i = program_.body[position], &next = program_.body[position + 1];
  return i.kind == Kind::unary && i.unary == TileUnary::round_bf16 && next.kind == Kind::store && next.a == i.out &&
         program_.stores[next.index].dtype == DType::bf16;
}

void BodyCode::round_and_store(const TileInstruction& round, const TileInstruction& store) {
  const Held value = hold(round.a);
  const Address to = frame_.output(program_.stores[store.index]);
  const int out = c_.take();
  c_.round_and_store(c_.vec(out), to, *value, facts_.flushed[round.a]);
  homes_[round.out].reg = out;
}

int BodyCode::zeros_counted(int value) const {
  for (const TileInstruction& i : program_.body) {
    if (i.kind != Kind::binary || i.binary != TileBinary::equal || i.a != value || !facts_.is_number[i.b]) continue;
    if (facts_.number[i.b] == 0 && is_condition_of_reductions(i.out)) return i.out;
  }
  return -1;
}

bool BodyCode::is_condition_of_reductions(int value) const {
  return std::ranges::all_of(program_.body, [&](const TileInstruction& i) {
    const bool unless = i.kind == Kind::reduce && i.a != value && i.b != value;
    return unless || (i.a != value && i.b != value && i.c != value);
  });
}

void BodyCode::reduce(const TileInstruction& i) {
  const auto r = static_cast<std::size_t>(i.index);
  if (!sums_.takes_part(r)) return;
  const Held value = hold(i.a);
  const int condition = i.b >= 0 ? i.b : i.c;
  if (condition < 0) return sums_.add(r, *value, i.a, {});
  const Home& home = homes_[condition];
  if (home.inverted == (i.c >= 0)) return sums_.add(r, *value, i.a, {home.mask});
  const TemporaryMask other(c_);
  c_.invert(*other, home.mask);
  sums_.add(r, *value, i.a, {*other});
}

}  // namespace qfw::cpu::x86
