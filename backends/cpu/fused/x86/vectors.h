#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#define XBYAK_NO_OP_NAMES
#include <xbyak/xbyak.h>

#include "qfw/tensor.h"
#include "x86_level.h"

namespace qfw::cpu::x86 {

/// A pass needs more registers than there are: it can be tried with fewer values kept in them.
struct OutOfRegisters {};

/// One vector instruction set as far as fused passes need it: an assembler, with a pool of registers that its longer sequences
/// take temporaries from. A vector is `lanes` floats or words. Masks have registers of their own (AVX-512) or are vectors
/// (AVX2).
class Vectors : public Xbyak::CodeGenerator {
 public:
  using Vec = Xbyak::Xmm;  ///< of the set's own width
  using Operand = Xbyak::Operand;
  using Address = Xbyak::Address;

  /// Of comparisons; those that begin with `not` hold for NaN.
  enum Predicate : std::uint8_t {
    equal = 0,
    unordered = 3,
    not_equal = 4,
    ordered = 7,
    less = 0x11,
    less_equal = 0x12,
    not_less = 0x15,
    not_less_equal = 0x16,
    not_greater_equal = 0x19,
    not_greater = 0x1a,
    greater = 0x1e
  };

  static std::unique_ptr<Vectors> make(Level level);

  int lanes() const { return lanes_; }
  std::int64_t bytes() const { return std::int64_t{lanes_} * 4; }
  int registers() const { return registers_; }
  virtual Vec vec(int index) const = 0;

  void start_over();  ///< without code, labels and literals

  // ---- registers
  void free_all();
  int take();
  void give(int index) { free_.push_back(index); }
  virtual int take_mask() = 0;
  virtual void give_mask(int mask) = 0;

  // ---- one number in all lanes, in memory beside the code
  virtual Address literal(std::uint32_t bits) = 0;  ///< as an operand of arithmetic and comparisons
  Address literal(float number);
  void broadcast_literal(Vec to, std::uint32_t bits) { vbroadcastss(to, ptr[rip + pooled(bits)]); }
  virtual Address literal_double(double number) = 0;
  virtual void broadcast_double(Vec to, double number) = 0;
  virtual void emit_literals() = 0;  ///< behind the code

  // ---- memory
  void load(Vec to, DType dtype, const Address& from);
  /// Of a dtype's own values: bf16 that are rounded already, whole numbers. `flushed`: x is never subnormal.
  void store(const Address& to, DType dtype, Vec x, bool flushed);
  virtual void store_rounding(const Address& to, Vec x, bool flushed) = 0;  ///< to the nearest bf16
  /// round_bf16(), and the result to memory.
  virtual void round_and_store(Vec to, const Address& place, Vec x, bool flushed);
  /// As u8, of x clipped to [0, high], a whole number; NaN becomes 0.
  virtual void store_clipped(const Address& to, Vec x, float high) = 0;

  // ---- arithmetic that the sets have in different ways; `to` may be an operand only where said
  virtual void floor(Vec to, Vec x) = 0;
  virtual void round_even(Vec to, Vec x) = 0;
  virtual void round_bf16(Vec to, Vec x, bool flushed) = 0;
  void to_int(Vec to, Vec x);  ///< towards zero; NaN becomes 0
  virtual void compare(int mask, Vec x, const Operand& y, Predicate predicate) = 0;
  virtual void either(int mask, int other) = 0;                          ///< mask |= other
  virtual void invert(int mask, int of) = 0;                             ///< mask = not `of`
  virtual void blend(Vec to, int mask, const Operand& yes, Vec no) = 0;  ///< `to` may be `no`
  virtual void keep(Vec to, int mask, const Operand& yes) = 0;           ///< else 0; yes: no literal; `to` may be `yes`
  virtual void keep_literal(Vec to, int mask, std::uint32_t yes) = 0;    ///< else 0
  virtual void add_where(Vec sum, Vec x, int mask) = 0;                  ///< sum += x, where the mask holds
  /// x where it is greater (or less) than y, or NaN; else y. None is ever subnormal. `to` may be y.
  virtual void extreme(Vec to, Vec x, Vec y, bool greater) = 0;
  virtual void extreme_where(Vec so_far, Vec x, bool greater, int mask) = 0;  ///< of both, where the mask holds
  virtual void half_as_doubles(Vec to, Vec x, int half) = 0;  ///< half of x's lanes, as many as fit; `to` may be x
  virtual void join_doubles(Vec to, Vec low, Vec high) = 0;   ///< both halves as floats, rounded; `low` is lost

 protected:
  Vectors(int lanes, int registers);
  virtual void free_masks() {}
  virtual void store_upper(const Address& to, Vec x, bool flushed) = 0;  ///< the upper halves of words
  virtual void store_bytes(const Address& to, Vec x, bool is_signed) = 0;
  Xbyak::Label& pooled(std::uint32_t bits) { return pool_[bits]; }
  Xbyak::Label& pooled(double number) { return doubles_[std::bit_cast<std::uint64_t>(number)]; }
  void emit_doubles(int copies);
  /// The bits of the nearest bf16 in the upper halves of `to`, which is not x.
  void rounded_bits(Vec to, Vec x);

  std::map<std::uint32_t, Xbyak::Label> pool_;
  std::map<std::uint64_t, Xbyak::Label> doubles_;
  std::vector<int> free_;

 private:
  int lanes_, registers_;
};

/// A register of the pool for as long as this lives.
class Temporary {
 public:
  explicit Temporary(Vectors& vectors) : vectors_(vectors), index_(vectors.take()) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() { vectors_.give(index_); }

  Vectors::Vec operator*() const { return vectors_.vec(index_); }

 private:
  Vectors& vectors_;
  int index_;
};

class TemporaryMask {
 public:
  explicit TemporaryMask(Vectors& vectors) : vectors_(vectors), index_(vectors.take_mask()) {}
  TemporaryMask(const TemporaryMask&) = delete;
  TemporaryMask& operator=(const TemporaryMask&) = delete;
  ~TemporaryMask() { vectors_.give_mask(index_); }

  int operator*() const { return index_; }

 private:
  Vectors& vectors_;
  int index_;
};

}  // namespace qfw::cpu::x86
