#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "pass.h"
#include "vectors.h"

namespace qfw::cpu::x86 {

/// A register that holds a value, given back at the end if it was taken for this alone.
class Held {
 public:
  Held(Vectors& vectors, int index, bool own) : vectors_(vectors), index_(index), own_(own) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() {
    if (own_) vectors_.give(index_);
  }
  Vectors::Vec operator*() const { return vectors_.vec(index_); }

 private:
  Vectors& vectors_;
  int index_;
  bool own_;
};

/// Where a set of vectors lies that outlives a row: of each a register, or a slot of the stack, or neither (-1).
struct Kept {
  std::vector<int> reg, slot;
};

/// What the parts of a function share: its general registers, its stack, and where operands lie. A step is as many columns as
/// the body computes in one go, `vectors` of them; `u` is the vector of the step that is being written.
class Frame {
 public:
  using Vec = Vectors::Vec;
  using Address = Vectors::Address;
  using Reg64 = Xbyak::Reg64;

  /// `budget`: vector registers that may be kept for what outlives a row.
  Frame(const Pass& pass, Vectors& vectors, int budget) : pass(pass), c(vectors), budget_(budget) { c.free_all(); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  const Pass& pass;
  Vectors& c;
  const Reg64 args = Xbyak::util::rdi;
  const Reg64 index = Xbyak::util::rax;  ///< of an element, in dense operands
  const Reg64 row = Xbyak::util::rcx;
  const Reg64 column = Xbyak::util::rdx;
  const Reg64 pitch = Xbyak::util::rsi;
  const Reg64 block = Xbyak::util::rbp;  ///< index of its first element
  const Reg64 block_end = Xbyak::util::rbx;
  const Reg64 scratch = Xbyak::util::r15;
  int u = 0;

  int step_vectors() const { return static_cast<int>(tile_step) / c.lanes(); }  ///< of the shortest step

  // ---- the function
  void enter();  ///< after all that is kept was asked for
  void leave();
  /// Around what uses slots and puts the row's number aside.
  void push_row();
  void pop_row();

  // ---- what outlives a row
  bool may_keep() const { return budget_ > 0; }
  Kept keep(int count, bool needs_slots = true);
  Held kept(const Kept& set, int i);  ///< its vector i: in its register, or read into one
  Address slot_of(int number) const;  ///< of the stack
  /// Puts vector i where it stays; `write` fills the register that it is told.
  template <class Write>
  void set(const Kept& set, int i, Write write) {
    if (set.reg[i] >= 0) {
      write(c.vec(set.reg[i]));
      return;
    }
    const Temporary t(c);
    write(*t);
    c.vmovups(slot_of(set.slot[i]), *t);
  }
  /// Vector i becomes what `change` makes of it.
  template <class Change>
  void change(const Kept& set, int i, Change change) {
    const Held value = kept(set, i);
    change(*value);
    if (set.reg[i] < 0) c.vmovups(slot_of(set.slot[i]), *value);
  }

  // ---- memory; what an address may need of `scratch` holds until the next
  Address argument(std::size_t offset) const { return c.ptr[args + static_cast<int>(offset)]; }
  Address input(const Pass::Load& load);
  Address output(const TileStore& store);
  Address in_line(int line, DType dtype);          ///< of a list of rows: this row and column
  void point_to_line(int line);                    ///< `scratch`: where this row begins
  void point_to(std::size_t list, std::size_t i);  ///< `scratch`: entry i of a list among the arguments
  /// Behind `scratch`: of floats vector i, of doubles half a vector; of this column on, or the lanes themselves.
  Address floats_at(bool lanes, int i) const;
  Address doubles_at(bool lanes, int half) const;
  /// Their own base register; null if they have none.
  const Reg64* base_of_input(int input) const;
  const Reg64* base_of_output(int output) const;

 private:
  using Bases = std::map<int, Reg64>;
  static std::vector<Reg64> saved();
  void find_bases();
  Reg64 base(const Bases& bases, int number, std::size_t list);
  Address element(Reg64 base, DType dtype) const;

  int budget_, slots_ = 0, pushed_ = 0;
  std::vector<Reg64> spare_{Xbyak::util::r14, Xbyak::util::r13, Xbyak::util::r12, Xbyak::util::r11,
                            Xbyak::util::r10, Xbyak::util::r9,  Xbyak::util::r8};
  Bases input_bases_, output_bases_;
};

}  // namespace qfw::cpu::x86
