#include "sums.h"

#include <limits>

namespace qfw::cpu::x86 {

using Way = Pass::Way;
using Vec = Vectors::Vec;

void emit_extreme(Vectors& c, Vec to, Vec a, Vec b, bool greater, bool flushed) {
  const TemporaryMask mask(c);
  if (flushed) {  // the processor's own takes b where one is NaN, and would make subnormal numbers zero
    greater ? c.vmaxps(to, a, b) : c.vminps(to, a, b);
    c.compare(*mask, a, a, Vectors::unordered);
    c.blend(to, *mask, a, to);
    return;
  }
  const TemporaryMask nan(c);
  c.compare(*mask, a, b, greater ? Vectors::greater : Vectors::less);
  c.compare(*nan, a, a, Vectors::unordered);
  c.either(*mask, *nan);
  c.blend(to, *mask, a, b);
}

Sums::Sums(Frame& frame, const Facts& facts, int most_vectors, bool pivots)
    : frame_(frame), c_(frame.c), facts_(facts), pivots_(pivots), sets_(frame.pass.reduced.size()) {
  for (std::size_t r = 0; r < sets_.size() && !pivots; ++r) {
    const int own = own_vectors(r, most_vectors);
    switch (way(r)) {
      case Way::moments:
        sets_[r].total = frame.keep(own);
        sets_[r].squares = frame.keep(own);
        sets_[r].pivot = frame.keep(own);
        break;
      case Way::blocks:
      case Way::columns:
      case Way::extremes:
        sets_[r].total = frame.keep(own);
        break;
      case Way::doubles:
      case Way::lanes:
        sets_[r].doubles = frame.keep(2 * own, false);
        break;
      case Way::spilled:
        break;
    }
  }
}

void Sums::begin(int vectors) {
  if (pivots_) return;
  for (std::size_t r = 0; r < sets_.size(); ++r) {
    const Set& s = sets_[r];
    const int own = own_vectors(r, vectors);
    switch (way(r)) {
      case Way::moments:
        frame_.point_to(offsetof(Piece, floats), r);
        for (int u = 0; u < own; ++u) {
          frame_.set(s.pivot, u, [&](Vec to) { c_.vmovups(to, frame_.floats_at(false, u)); });
        }
        clear(s.squares, own);
        clear(s.total, own);
        break;
      case Way::blocks:
        clear(s.total, own);
        break;
      case Way::columns:
      case Way::extremes:
        frame_.point_to(offsetof(Piece, floats), r);
        for (int u = 0; u < own; ++u) {
          frame_.set(s.total, u, [&](Vec to) { c_.vmovups(to, frame_.floats_at(per_lane(r), u)); });
        }
        break;
      case Way::doubles:
      case Way::lanes:
        frame_.point_to(offsetof(Piece, sums), 2 * r);
        for (int i = 0; i < 2 * own; ++i) {
          if (s.doubles.reg[i] >= 0) c_.vmovupd(c_.vec(s.doubles.reg[i]), frame_.doubles_at(per_lane(r), i));
        }
        break;
      case Way::spilled:
        break;
    }
  }
}

void Sums::end(int vectors) {
  if (pivots_) return;
  for (std::size_t r = 0; r < sets_.size(); ++r) {
    const Set& s = sets_[r];
    const int own = own_vectors(r, vectors);
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
        frame_.point_to(offsetof(Piece, floats), r);
        for (int u = 0; u < own; ++u) {
          const Held total = frame_.kept(s.total, u);
          c_.vmovups(frame_.floats_at(per_lane(r), u), *total);
        }
        break;
      case Way::doubles:
      case Way::lanes:
        frame_.point_to(offsetof(Piece, sums), 2 * r);
        for (int i = 0; i < 2 * own; ++i) {
          if (s.doubles.reg[i] >= 0) c_.vmovupd(frame_.doubles_at(per_lane(r), i), c_.vec(s.doubles.reg[i]));
        }
        break;
      case Way::spilled:
        break;
    }
  }
}

void Sums::clear(const Kept& set, int count) {
  for (int i = 0; i < count; ++i) {
    frame_.set(set, i, [&](Vec to) { c_.vxorps(to, to, to); });
  }
}

void Sums::add_block(const Kept& total, std::size_t set, int vectors) {
  frame_.point_to(offsetof(Piece, sums), set);
  for (int u = 0; u < vectors; ++u) {
    const Held sum = frame_.kept(total, u);
    for (int half = 0; half < 2; ++half) {
      const Temporary wide(c_);
      c_.half_as_doubles(*wide, *sum, half);
      c_.vaddpd(*wide, *wide, frame_.doubles_at(false, 2 * u + half));
      c_.vmovupd(frame_.doubles_at(false, 2 * u + half), *wide);
    }
  }
}

void Sums::add(std::size_t r, Vec x, int value) {
  if (pivots_) return write_pivot(r, x);
  const Set& s = sets_[r];
  const int u = per_lane(r) ? frame_.u % frame_.step_vectors() : frame_.u;
  switch (way(r)) {
    case Way::blocks:
      frame_.change(s.total, u, [&](Vec sum) { c_.vaddps(sum, sum, x); });
      return;
    case Way::moments: {
      const Temporary distance(c_);
      {
        const Held pivot = frame_.kept(s.pivot, u);
        c_.vsubps(*distance, x, *pivot);
      }
      frame_.change(s.total, u, [&](Vec sum) { c_.vaddps(sum, sum, *distance); });
      c_.vmulps(*distance, *distance, *distance);
      frame_.change(s.squares, u, [&](Vec sum) { c_.vaddps(sum, sum, *distance); });
      return;
    }
    case Way::columns:
    case Way::extremes:
      frame_.change(s.total, u, [&](Vec so_far) {
        emit_extreme(c_, so_far, x, so_far, frame_.pass.reduced[r].is_max, facts_.flushed[value]);
      });
      return;
    case Way::doubles:
    case Way::lanes:
      for (int half = 0; half < 2; ++half) add_doubles(r, 2 * u + half, x, half);
      return;
    case Way::spilled:
      c_.vmovups(frame_.in_line(frame_.pass.reduced[r].line, DType::f32), x);
      return;
  }
}

void Sums::add_doubles(std::size_t r, int half_vector, Vec x, int half) {
  const Temporary wide(c_);
  c_.half_as_doubles(*wide, x, half);
  const int own = sets_[r].doubles.reg[half_vector];
  if (own >= 0) {
    c_.vaddpd(c_.vec(own), c_.vec(own), *wide);
    return;
  }
  frame_.point_to(offsetof(Piece, sums), 2 * r);
  const Vectors::Address sum = frame_.doubles_at(per_lane(r), half_vector);
  const Temporary total(c_);
  c_.vmovupd(*total, sum);
  c_.vaddpd(*total, *total, *wide);
  c_.vmovupd(sum, *total);
}

/// Where it is finite, else 0.
void Sums::write_pivot(std::size_t r, Vec x) {
  const Temporary value(c_);
  const TemporaryMask finite(c_);
  c_.vandps(*value, x, c_.literal(0x7fffffffU));
  c_.compare(*finite, *value, c_.literal(std::numeric_limits<float>::infinity()), Vectors::less);
  c_.keep(*value, *finite, x);
  frame_.point_to(offsetof(Piece, floats), r);
  c_.vmovups(frame_.floats_at(false, frame_.u), *value);
}

}  // namespace qfw::cpu::x86
