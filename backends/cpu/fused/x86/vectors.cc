#include "vectors.h"

#include <bit>

namespace qfw::cpu::x86 {
namespace {

using Xbyak::Opmask;
using Xbyak::Xmm;
using Xbyak::Ymm;
using Xbyak::Zmm;

constexpr std::size_t most_code = 1 << 18;  // bytes; the longest of ResNet50's passes takes 6,000

Xmm narrow(const Xmm& x) { return Xmm(x.getIdx()); }
Ymm middle(const Xmm& x) { return Ymm(x.getIdx()); }
Zmm wide(const Xmm& x) { return Zmm(x.getIdx()); }

class Avx2 final : public Vectors {
 public:
  Avx2() : Vectors(8, 16) {}

  Vec vec(int index) const override { return Ymm(index); }
  int take_mask() override { return take(); }
  void give_mask(int mask) override { give(mask); }

  using Vectors::literal;
  Address literal(std::uint32_t bits) override { return ptr[rip + pooled(bits)]; }
  void emit_literals() override {
    align(32);
    for (auto& [bits, label] : pool_) {
      L(label);
      for (int i = 0; i < lanes(); ++i) dd(bits);
    }
    emit_doubles(lanes() / 2);
  }
  Address literal_double(double number) override { return ptr[rip + pooled(number)]; }
  void broadcast_double(Vec to, double number) override { vbroadcastsd(middle(to), ptr[rip + pooled(number)]); }

  void store_rounding(const Address& to, Vec x, bool /*flushed*/) override {
    const Temporary bits(*this);
    rounded_bits(*bits, x);
    store_upper(to, *bits, false);
  }
  void floor(Vec to, Vec x) override { vroundps(middle(to), middle(x), 9); }
  void round_even(Vec to, Vec x) override { vroundps(middle(to), middle(x), 8); }
  void round_bf16(Vec to, Vec x, bool /*flushed*/) override {
    rounded_bits(to, x);
    vandps(to, to, literal(0xffff0000u));
  }
  void compare(int mask, Vec x, const Operand& y, Predicate predicate) override { vcmpps(Ymm(mask), middle(x), y, predicate); }
  void either(int mask, int other) override { vorps(Ymm(mask), Ymm(mask), Ymm(other)); }
  void invert(int mask, int of) override { vxorps(Ymm(mask), Ymm(of), literal(0xffffffffu)); }
  void blend(Vec to, int mask, const Operand& yes, Vec no) override { vblendvps(middle(to), middle(no), yes, Ymm(mask)); }
  void keep(Vec to, int mask, const Operand& yes) override { vandps(to, Ymm(mask), yes); }
  void keep_literal(Vec to, int mask, std::uint32_t yes) override { vandps(to, Ymm(mask), literal(yes)); }
  void add_where(Vec sum, Vec x, int mask) override {
    const Temporary taken(*this);
    vandps(*taken, Ymm(mask), x);
    vaddps(sum, sum, *taken);
  }
  void extreme(Vec to, Vec x, Vec y, bool greater) override {
    greater ? vmaxps(to, x, y) : vminps(to, x, y);  // y where one is NaN
    const TemporaryMask nan(*this);
    compare(*nan, x, x, unordered);
    blend(to, *nan, x, to);
  }
  void extreme_where(Vec so_far, Vec x, bool greater, int mask) override {
    const Temporary joined(*this);
    extreme(*joined, x, so_far, greater);
    blend(so_far, mask, *joined, so_far);
  }
  void store_clipped(const Address& to, Vec x, float high) override {
    const Temporary words(*this);
    const Ymm t = middle(*words);
    vmaxps(t, middle(x), literal(0.0F));  // NaN becomes the second operand
    vminps(t, t, literal(high));
    vcvttps2dq(t, t);
    narrow_words(to, t, false);
  }
  void half_as_doubles(Vec to, Vec x, int half) override {
    if (half == 0) {
      vcvtps2pd(middle(to), narrow(x));
      return;
    }
    vextractf128(narrow(to), middle(x), 1);
    vcvtps2pd(middle(to), narrow(to));
  }
  void join_doubles(Vec to, Vec low, Vec high) override {
    vcvtpd2ps(narrow(low), middle(low));
    vcvtpd2ps(narrow(to), middle(high));
    vinsertf128(middle(to), middle(low), narrow(to), 1);
  }

 private:
  void store_upper(const Address& to, Vec x, bool /*flushed*/) override {
    const Temporary words(*this);
    const Ymm t = middle(*words);
    vpsrld(t, x, 16);
    vpackusdw(t, t, t);
    vpermq(t, t, 0x08);
    vmovdqu(to, narrow(t));
  }
  void store_bytes(const Address& to, Vec x, bool is_signed) override {
    const Temporary words(*this);
    to_int(*words, x);
    narrow_words(to, middle(*words), is_signed);
  }
  void narrow_words(const Address& to, const Ymm& t, bool is_signed) {
    vpackssdw(t, t, t);
    vpermq(t, t, 0x08);
    if (is_signed) {
      vpacksswb(narrow(t), narrow(t), narrow(t));
    } else {
      vpackuswb(narrow(t), narrow(t), narrow(t));
    }
    vmovq(to, narrow(t));
  }
};

class Avx512 final : public Vectors {
 public:
  explicit Avx512(bool has_bf16) : Vectors(16, 32), has_bf16_(has_bf16) {}

  Vec vec(int index) const override { return Zmm(index); }
  int take_mask() override {
    if (masks_.empty()) throw OutOfRegisters();
    const int mask = masks_.back();
    masks_.pop_back();
    return mask;
  }
  void give_mask(int mask) override { masks_.push_back(mask); }

  using Vectors::literal;
  Address literal(std::uint32_t bits) override { return ptr_b[rip + pooled(bits)]; }
  void emit_literals() override {
    align(8);
    emit_doubles(1);
    for (auto& [bits, label] : pool_) {
      L(label);
      dd(bits);
    }
  }
  Address literal_double(double number) override { return ptr_b[rip + pooled(number)]; }
  void broadcast_double(Vec to, double number) override { vbroadcastsd(wide(to), ptr[rip + pooled(number)]); }

  void store_rounding(const Address& to, Vec x, bool flushed) override {
    const Temporary bits(*this);
    if (has_bf16_ && flushed) {
      vcvtneps2bf16(middle(*bits), wide(x));
      vmovups(to, middle(*bits));
      return;
    }
    rounded_bits(*bits, x);
    store_upper(to, *bits, false);
  }
  void floor(Vec to, Vec x) override { vrndscaleps(wide(to), wide(x), 9); }
  void round_even(Vec to, Vec x) override { vrndscaleps(wide(to), wide(x), 8); }
  void round_bf16(Vec to, Vec x, bool flushed) override {
    if (has_bf16_ && flushed) {
      vcvtneps2bf16(middle(to), wide(x));
      vpmovzxwd(wide(to), middle(to));
      vpslld(wide(to), wide(to), 16);
      return;
    }
    rounded_bits(to, x);
    vandps(to, to, literal(0xffff0000u));
  }
  void compare(int mask, Vec x, const Operand& y, Predicate predicate) override { vcmpps(Opmask(mask), wide(x), y, predicate); }
  void either(int mask, int other) override { korw(Opmask(mask), Opmask(mask), Opmask(other)); }
  void invert(int mask, int of) override { knotw(Opmask(mask), Opmask(of)); }
  void blend(Vec to, int mask, const Operand& yes, Vec no) override { vblendmps(wide(to) | Opmask(mask), wide(no), yes); }
  void keep(Vec to, int mask, const Operand& yes) override { vmovups(wide(to) | Opmask(mask) | T_z, yes); }
  void keep_literal(Vec to, int mask, std::uint32_t yes) override {
    vbroadcastss(wide(to) | Opmask(mask) | T_z, ptr[rip + pooled(yes)]);
  }
  void round_and_store(Vec to, const Address& place, Vec x, bool flushed) override {
    if (!has_bf16_ || !flushed) return Vectors::round_and_store(to, place, x, flushed);
    vcvtneps2bf16(middle(to), wide(x));
    vmovups(place, middle(to));
    vpmovzxwd(wide(to), middle(to));
    vpslld(wide(to), wide(to), 16);
  }
  void add_where(Vec sum, Vec x, int mask) override { vaddps(sum | Opmask(mask), sum, x); }
  void extreme(Vec to, Vec x, Vec y, bool greater) override {
    greater ? vmaxps(to, x, y) : vminps(to, x, y);  // y where one is NaN
    vfixupimmps(wide(to), wide(x), literal(nan_of_x), 0);
  }
  void extreme_where(Vec so_far, Vec x, bool greater, int mask) override {
    const Zmm to = wide(so_far) | Opmask(mask);
    greater ? vmaxps(to, x, so_far) : vminps(to, x, so_far);
    vfixupimmps(to, wide(x), literal(nan_of_x), 0);
  }
  void store_clipped(const Address& to, Vec x, float high) override {
    const Temporary words(*this);
    const Zmm t = wide(*words);
    vmaxps(t, wide(x), literal(0.0F));  // NaN becomes the second operand
    if (high < 255) vminps(t, t, literal(high));
    vcvttps2dq(t, t);         // too large a number becomes 2^31,
    vpmovusdb(narrow(t), t);  // which saturates as well
    vmovups(to, narrow(t));
  }
  void half_as_doubles(Vec to, Vec x, int half) override {
    if (half == 0) {
      vcvtps2pd(wide(to), middle(x));
      return;
    }
    vextractf64x4(middle(to), wide(x), 1);
    vcvtps2pd(wide(to), middle(to));
  }
  void join_doubles(Vec to, Vec low, Vec high) override {
    vcvtpd2ps(middle(low), wide(low));
    vcvtpd2ps(middle(to), wide(high));
    vinsertf64x4(wide(to), wide(low), middle(to), 1);
  }

 private:
  void store_upper(const Address& to, Vec x, bool flushed) override {
    if (has_bf16_ && flushed) return store_rounding(to, x, true);  // exact, and shorter
    const Temporary words(*this);
    vpsrld(*words, x, 16);
    vpmovdw(middle(*words), wide(*words));
    vmovups(to, middle(*words));
  }
  void store_bytes(const Address& to, Vec x, bool is_signed) override {
    const Temporary words(*this);
    const Zmm t = wide(*words);
    if (is_signed) {
      to_int(t, x);
      vpmovsdb(narrow(t), t);
    } else {
      vmaxps(t, wide(x), literal(0.0F));  // NaN becomes the second operand
      vcvttps2dq(t, t);
      vpmovusdb(narrow(t), t);
    }
    vmovups(to, narrow(t));
  }

  void free_masks() override { masks_ = {7, 6, 5, 4, 3, 2, 1}; }

  static constexpr std::uint32_t nan_of_x = 0x22;  ///< of vfixupimmps: a quiet and a signalling one are taken, all else stays

  bool has_bf16_;
  std::vector<int> masks_;
};

}  // namespace

Vectors::Vectors(int lanes, int registers)
    : Xbyak::CodeGenerator(most_code, Xbyak::DontSetProtectRWE), lanes_(lanes), registers_(registers) {}

std::unique_ptr<Vectors> Vectors::make(Level level) {
  if (level == Level::avx2) return std::make_unique<Avx2>();
  return std::make_unique<Avx512>(level == Level::avx512_bf16);
}

void Vectors::start_over() {
  reset();
  pool_.clear();
  doubles_.clear();
}

void Vectors::free_all() {
  free_masks();
  free_.clear();
  for (int index = registers_ - 1; index >= 0; --index) free_.push_back(index);
}

void Vectors::emit_doubles(int copies) {
  for (auto& [bits, label] : doubles_) {
    L(label);
    for (int i = 0; i < copies; ++i) dq(bits);
  }
}

int Vectors::take() {
  if (free_.empty()) throw OutOfRegisters();
  const int index = free_.back();
  free_.pop_back();
  return index;
}

Vectors::Address Vectors::literal(float number) { return literal(std::bit_cast<std::uint32_t>(number)); }

void Vectors::load(Vec to, DType dtype, const Address& from) {
  switch (dtype) {
    case DType::f32:
    case DType::s32:
      vmovups(to, from);
      return;
    case DType::bf16:
      vpmovzxwd(to, from);
      vpslld(to, to, 16);
      return;
    case DType::u8:
      vpmovzxbd(to, from);
      vcvtdq2ps(to, to);
      return;
    case DType::s8:
      vpmovsxbd(to, from);
      vcvtdq2ps(to, to);
      return;
    case DType::f16:  // declined (CpuBackend::supports)
      return;
  }
}

void Vectors::store(const Address& to, DType dtype, Vec x, bool flushed) {
  switch (dtype) {
    case DType::f32:
    case DType::s32:
      vmovups(to, x);
      return;
    case DType::bf16:
      store_upper(to, x, flushed);
      return;
    case DType::u8:
    case DType::s8:
      store_bytes(to, x, dtype == DType::s8);
      return;
    case DType::f16:
      return;
  }
}

void Vectors::round_and_store(Vec to, const Address& place, Vec x, bool flushed) {
  round_bf16(to, x, flushed);
  store(place, DType::bf16, to, flushed);
}

void Vectors::to_int(Vec to, Vec x) {
  const TemporaryMask number(*this);
  compare(*number, x, x, ordered);
  vcvttps2dq(to, x);
  keep(to, *number, to);
}

void Vectors::rounded_bits(Vec to, Vec x) {
  const TemporaryMask nan(*this);
  const Temporary quiet(*this);
  vpsrld(to, x, 16);
  vandps(to, to, literal(1U));
  vpaddd(to, to, x);
  vpaddd(to, to, literal(0x7fffU));
  compare(*nan, x, x, unordered);
  vorps(*quiet, x, literal(0x400000U));
  blend(to, *nan, *quiet, to);
}

}  // namespace qfw::cpu::x86
