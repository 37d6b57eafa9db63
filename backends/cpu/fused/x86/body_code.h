#pragma once

#include <optional>
#include <vector>

#include "frame.h"
#include "pass.h"
#include "sums.h"

namespace qfw::cpu::x86 {

/// The instructions of a pass, for one row of a step: values are in registers from where they are made to where they are last
/// read, what is loaded from where it is first read. Rows and numbers are kept by the frame.
class BodyCode {
 public:
  /// Asks the frame for room, for steps of at most so many vectors.
  BodyCode(Frame& frame, Sums& sums, const Facts& facts, int most_vectors);

  void set_numbers();          ///< once
  void set_row();              ///< for each row, where rows are taken one after the other
  void set_rows(int vectors);  ///< for each step of columns
  void row(int vectors);

 private:
  using Vec = Vectors::Vec;
  using Address = Vectors::Address;

  /// Where a value is, while one vector of it is computed.
  struct Home {
    int reg = -1, mask = -1;
    bool inverted = false;  ///< the mask
    int load = -1;          ///< not read yet: by this load
  };
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

  bool is_condition_of_reductions(int value) const;  ///< and read by nothing else; reduced is where it does not hold
  bool rounds_for_store(int position) const;
  int zeros_counted(int value) const;  ///< such a condition: whether this value is 0; -1: none
  bool is_row(std::size_t v) const { return program_.values[v].fill == lowering::Fill::row; }
  std::uint32_t bits_of(int value) const;
  void release(int value, int position);
  void give_up(int value);

  Source source(int value);
  Held hold(int value);  ///< in a register
  void read(int value);
  void broadcast(Vec to, DType dtype);
  void make_float(Home& home);

  void instruction(const TileInstruction& i);
  void round_and_store(const TileInstruction& round, const TileInstruction& store);
  void unary(const TileInstruction& i);
  void relu(const TileInstruction& i, Vec to, Vec a);
  void binary(const TileInstruction& i);
  void extreme(const TileInstruction& i, Vec to, Vec a, bool greater);
  void select(const TileInstruction& i);
  void spread(const TileInstruction& i);
  void store(const TileInstruction& i);
  void reduce(const TileInstruction& i);

  Frame& frame_;
  Vectors& c_;
  Sums& sums_;
  const Facts& facts_;
  const TileProgram& program_;
  std::vector<Home> homes_;
  std::vector<Kept> kept_;  ///< of rows and numbers, by value; empty: a literal
};

}  // namespace qfw::cpu::x86
