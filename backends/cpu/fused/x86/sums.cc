#include "sums.h"

#include <limits>

namespace qfw::cpu::x86 {

using Way = Pass::Way;
using Vec = Vectors::Vec;

void emit_extreme(Vectors& c, Vec to, Vec a, Vec b, bool greater, bool flushed) {
  if (flushed) return c.extreme(to, a, b, greater);
  const TemporaryMask mask(c), nan(c);
  c.compare(*mask, a, b, greater ? Vectors::greater : Vectors::less);
  c.compare(*nan, a, a, Vectors::unordered);
  c.either(*mask, *nan);
  c.blend(to, *mask, a, b);
}

Sums::Sums(Frame& frame, const Facts& facts, int most_vectors, bool pivots)
    : frame_(frame), c_(frame.c), facts_(facts), pivots_(pivots), sets_(frame.pass.reduced.size()) {
  for (std::size_t r = 0; r < sets_.size() && !pivots; ++r) {
    const int own = own_vectors(r, most_vectors);
    if (is_twin(r)) continue;
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
      case Way::rows:
      case Way::spilled:
        break;
    }
  }
}

void Sums::begin(int vectors) {
  for (std::size_t r = 0; r < sets_.size() && !pivots_; ++r) {
    const Set& s = sets_[r];
    if (is_twin(r)) continue;
    if (!starts_anew(r)) {
      exchange(r, vectors, false);
      continue;
    }
    if (way(r) == Way::moments) {
      frame_.point_to(offsetof(Piece, floats), r);
      for (int u = 0; u < vectors; ++u) {
        frame_.set(s.pivot, u, [&](Vec to) { c_.vmovups(to, frame_.floats_at(false, u)); });
      }
      clear(s.squares, vectors);
    }
    clear(s.total, vectors);
  }
}

void Sums::end(int vectors) {
  for (std::size_t r = 0; r < sets_.size() && !pivots_; ++r) {
    if (!starts_anew(r)) {
      exchange(r, vectors, true);
      continue;
    }
    add_block(sets_[is_twin(r) ? frame_.pass.reduced[r].twin : r].total, 2 * r, vectors);
    if (way(r) == Way::moments) add_block(sets_[r].squares, 2 * r + 1, vectors);
  }
}

/// Reads what a reduction has so far from where the caller has it, or writes it there.
void Sums::exchange(std::size_t r, int vectors, bool write) {
  const Set& s = sets_[r];
  const int own = own_vectors(r, vectors);
  if (!s.total.reg.empty()) {
    frame_.point_to(offsetof(Piece, floats), r);
    for (int u = 0; u < own; ++u) {
      const Vectors::Address place = frame_.floats_at(per_lane(r), u);
      if (write) {
        c_.vmovups(place, *frame_.kept(s.total, u));
      } else {
        frame_.set(s.total, u, [&](Vec to) { c_.vmovups(to, place); });
      }
    }
  }
  if (!s.doubles.reg.empty()) {
    frame_.point_to(offsetof(Piece, sums), 2 * r);
    for (int i = 0; i < 2 * own; ++i) {
      if (s.doubles.reg[i] < 0) continue;
      const Vec sum = c_.vec(s.doubles.reg[i]);
      write ? c_.vmovupd(frame_.doubles_at(per_lane(r), i), sum) : c_.vmovupd(sum, frame_.doubles_at(per_lane(r), i));
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

void Sums::add(std::size_t r, Vec x, int value, Taken taken) {
  if (pivots_) return write_pivot(r, x);
  const Set& s = sets_[r];
  const int u = per_lane(r) ? frame_.u % frame_.step_vectors() : frame_.u;
  switch (way(r)) {
    case Way::blocks:
      frame_.change(s.total, u, [&](Vec sum) { taken.all() ? c_.vaddps(sum, sum, x) : c_.add_where(sum, x, taken.mask); });
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
      frame_.change(s.total, u, [&](Vec so_far) { join(r, so_far, x, value, taken); });
      return;
    case Way::doubles:
    case Way::lanes:
      for (int half = 0; half < 2; ++half) add_doubles(r, 2 * u + half, x, half);
      return;
    case Way::rows:
      return join_in_row(r, x);
    case Way::spilled:
      c_.vmovups(frame_.in_line(frame_.pass.reduced[r].line, DType::f32), x);
      return;
  }
}

void Sums::join(std::size_t r, Vec so_far, Vec x, int value, Taken taken) {
  const bool greater = frame_.pass.reduced[r].is_max;
  if (greater && taken.all() && facts_.is_size(value)) {
    c_.vpmaxsd(so_far, so_far, x);
  } else if (taken.all()) {
    emit_extreme(c_, so_far, x, so_far, greater, facts_.flushed[value]);
  } else if (facts_.flushed[value]) {
    c_.extreme_where(so_far, x, greater, taken.mask);
  } else {
    const Temporary joined(c_);
    emit_extreme(c_, *joined, x, so_far, greater, false);
    c_.blend(so_far, taken.mask, *joined, so_far);
  }
}

/// Beside what the row's result has so far, which the caller joins. Two vectors do not wait for each other.
void Sums::join_in_row(std::size_t r, Vec x) {
  frame_.point_to_line(frame_.pass.reduced[r].line);
  const Vectors::Address place = frame_.floats_at(true, frame_.u);
  const Temporary joined(c_);
  c_.vpmaxsd(*joined, x, place);
  c_.vmovups(place, *joined);
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
