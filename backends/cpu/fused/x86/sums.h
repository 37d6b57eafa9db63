#pragma once

#include <vector>

#include "frame.h"
#include "pass.h"

namespace qfw::cpu::x86 {

/// a where it is greater (or less) than b, or NaN; else b. `flushed`: neither is ever subnormal. `to` may be b.
void emit_extreme(Vectors& c, Vectors::Vec to, Vectors::Vec a, Vectors::Vec b, bool greater, bool flushed);

/// Which lanes of a value are reduced: all, or those where a mask holds.
struct Taken {
  int mask = -1;

  bool all() const { return mask < 0; }
};

/// The reductions of a pass: what is added up or compared in registers, and where that goes (pass.h, Pass::Way).
class Sums {
 public:
  /// Asks the frame for room, for steps of at most so many vectors. `pivots`: only the first values of moments are written.
  Sums(Frame& frame, const Facts& facts, int most_vectors, bool pivots);

  void begin(int vectors);  ///< before the rows of a block
  void add(std::size_t r, Vectors::Vec x, int value, Taken taken);
  void end(int vectors);  ///< after them
  bool takes_part(std::size_t r) const { return !pivots_ || way(r) == Pass::Way::moments; }

 private:
  struct Set {
    Kept total, squares, pivot;  ///< of blocks and moments; extremes: total
    Kept doubles;                ///< two for each vector: in registers, or where the caller has them
  };
  Pass::Way way(std::size_t r) const { return frame_.pass.reduced[r].way; }
  /// Whether a block begins with nothing and is added to what the caller has; what others keep is the caller's, there and back.
  bool starts_anew(std::size_t r) const { return way(r) == Pass::Way::blocks || way(r) == Pass::Way::moments; }
  bool per_lane(std::size_t r) const { return way(r) == Pass::Way::lanes || way(r) == Pass::Way::extremes; }
  bool is_twin(std::size_t r) const { return frame_.pass.reduced[r].twin >= 0; }
  int own_vectors(std::size_t r, int vectors) const { return per_lane(r) ? frame_.step_vectors() : vectors; }
  void exchange(std::size_t r, int vectors, bool write);
  void clear(const Kept& set, int count);
  void add_block(const Kept& total, std::size_t set, int vectors);
  void add_doubles(std::size_t r, int half_vector, Vectors::Vec x, int half);
  void join(std::size_t r, Vectors::Vec so_far, Vectors::Vec x, int value, Taken taken);
  void join_in_row(std::size_t r, Vectors::Vec x);
  void write_pivot(std::size_t r, Vectors::Vec x);

  Frame& frame_;
  Vectors& c_;
  const Facts& facts_;
  bool pivots_;
  std::vector<Set> sets_;
};

}  // namespace qfw::cpu::x86
