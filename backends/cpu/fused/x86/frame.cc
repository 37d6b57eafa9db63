#include "frame.h"

namespace qfw::cpu::x86 {
namespace {

using Kind = TileInstruction::Kind;

constexpr int slot_bytes = 64;  // a vector of any width

}  // namespace

std::vector<Frame::Reg64> Frame::saved() {
  using namespace Xbyak::util;
  return {rbx, rbp, r12, r13, r14, r15};
}

void Frame::enter() {
  for (const Reg64& r : saved()) c.push(r);
  c.mov(scratch, c.rsp);
  c.sub(c.rsp, (slots_ + 2) * slot_bytes);
  c.and_(c.rsp, -slot_bytes);
  c.mov(c.ptr[c.rsp], scratch);
  find_bases();
  c.mov(pitch, argument(offsetof(Piece, pitch)));
}

void Frame::leave() {
  c.mov(c.rsp, c.ptr[c.rsp]);
  const auto registers = saved();
  for (auto r = registers.rbegin(); r != registers.rend(); ++r) c.pop(*r);
  c.vzeroupper();
  c.ret();
}

void Frame::push_row() {
  c.push(row);
  pushed_ = 8;
}

void Frame::pop_row() {
  c.pop(row);
  pushed_ = 0;
}

Kept Frame::keep(int count, bool needs_slots) {
  Kept set;
  for (int i = 0; i < count; ++i) {
    const bool in_register = budget_ > 0;
    if (in_register) --budget_;
    set.reg.push_back(in_register ? c.take() : -1);
    set.slot.push_back(!in_register && needs_slots ? slots_++ : -1);
  }
  return set;
}

Held Frame::kept(const Kept& set, int i) {
  if (set.reg[i] >= 0) return {c, set.reg[i], false};
  const int t = c.take();
  c.vmovups(c.vec(t), slot_of(set.slot[i]));
  return {c, t, true};
}

Frame::Address Frame::slot_of(int number) const { return c.ptr[c.rsp + pushed_ + (number + 1) * slot_bytes]; }

/// Pointers of dense operands, as many as there are registers.
void Frame::find_bases() {
  const auto find = [&](Bases& bases, int number, std::size_t list) {
    if (bases.contains(number) || spare_.empty()) return;
    const Reg64 base = spare_.back();
    spare_.pop_back();
    bases.emplace(number, base);
    c.mov(base, argument(list));
    c.mov(base, c.ptr[base + 8 * number]);
  };
  for (const TileInstruction& i : pass.program.body) {
    if (i.kind == Kind::load && pass.loads[i.index].dense) {
      find(input_bases_, pass.loads[i.index].input, offsetof(Piece, inputs));
    }
    if (i.kind == Kind::store) find(output_bases_, pass.program.stores[i.index].output, offsetof(Piece, outputs));
  }
}

Frame::Reg64 Frame::base(const Bases& bases, int number, std::size_t list) {
  const auto at = bases.find(number);
  if (at != bases.end()) return at->second;
  point_to(list, static_cast<std::size_t>(number));
  return scratch;
}

const Frame::Reg64* Frame::base_of_input(int input) const {
  const auto at = input_bases_.find(input);
  return at == input_bases_.end() ? nullptr : &at->second;
}

const Frame::Reg64* Frame::base_of_output(int output) const {
  const auto at = output_bases_.find(output);
  return at == output_bases_.end() ? nullptr : &at->second;
}

Frame::Address Frame::element(Reg64 base, DType dtype) const {
  const int size = static_cast<int>(size_of(dtype));
  return c.ptr[base + index * size + u * c.lanes() * size];
}

Frame::Address Frame::input(const Pass::Load& load) {
  if (!load.dense) return in_line(load.line, load.dtype);
  return element(base(input_bases_, load.input, offsetof(Piece, inputs)), load.dtype);
}

Frame::Address Frame::output(const TileStore& store) {
  return element(base(output_bases_, store.output, offsetof(Piece, outputs)), store.dtype);
}

Frame::Address Frame::in_line(int line, DType dtype) {
  point_to_line(line);
  const int size = static_cast<int>(size_of(dtype));
  return c.ptr[scratch + column * size + u * c.lanes() * size];
}

void Frame::point_to_line(int line) {
  point_to(offsetof(Piece, lines), static_cast<std::size_t>(line));
  c.mov(scratch, c.ptr[scratch + row * 8]);
}

void Frame::point_to(std::size_t list, std::size_t i) {
  c.mov(scratch, argument(list));
  c.mov(scratch, c.ptr[scratch + static_cast<int>(8 * i)]);
}

Frame::Address Frame::floats_at(bool lanes, int i) const {
  const int offset = i * static_cast<int>(c.bytes());
  return lanes ? c.ptr[scratch + offset] : c.ptr[scratch + column * 4 + offset];
}

Frame::Address Frame::doubles_at(bool lanes, int half) const {
  const int offset = half * static_cast<int>(c.bytes());
  return lanes ? c.ptr[scratch + offset] : c.ptr[scratch + column * 8 + offset];
}

}  // namespace qfw::cpu::x86
