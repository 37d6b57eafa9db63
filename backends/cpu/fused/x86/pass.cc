#include "pass.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>

namespace qfw::cpu::x86 {
namespace {

using lowering::Fill;
using lowering::FusedProgram;
using lowering::Pattern;
using Kind = TileInstruction::Kind;
using Way = Pass::Way;

constexpr bool is_code(DType dtype) { return dtype == DType::u8 || dtype == DType::s8; }

bool is_number(const TileProgram& program, int value) {
  const TileValue& v = program.values[value];
  return v.fill == Fill::scalar && v.buffer >= 0 && v.buffer < static_cast<int>(program.numbers.size());
}

std::optional<float> number_of(const TileProgram& program, int value) {
  if (!is_number(program, value)) return std::nullopt;
  return program.numbers[program.values[value].buffer];
}

/// The instruction that makes a value which a single one reads; null for others.
const TileInstruction* only_for_one(const TileProgram& program, int value) {
  const TileInstruction* made = nullptr;
  int readers = 0;
  for (const TileInstruction& i : program.body) {
    if (i.out == value) made = &i;
    for (const int arg : {i.a, i.b, i.c}) readers += arg == value;
  }
  return readers == 1 ? made : nullptr;
}

bool is_binary(const TileInstruction* i, TileBinary op) { return i != nullptr && i->kind == Kind::binary && i->binary == op; }

/// Codes are floored, clipped to whole numbers from 0 on, and stored by a conversion that cuts fractions off: the floor changes
/// nothing.
void drop_floors(TileProgram& program) {
  for (const TileStore& store : program.stores) {
    if (store.dtype != DType::u8) continue;
    const TileInstruction* least = only_for_one(program, store.value);
    if (!is_binary(least, TileBinary::minimum)) continue;
    const TileInstruction* greatest = only_for_one(program, least->a);
    if (!is_binary(greatest, TileBinary::maximum)) continue;
    const TileInstruction* floor = only_for_one(program, greatest->a);
    if (floor == nullptr || floor->kind != Kind::unary || floor->unary != TileUnary::floor) continue;
    const auto high = number_of(program, least->b), low = number_of(program, greatest->b);
    if (!high || !low || !(*low >= 0) || std::floor(*low) != *low || std::floor(*high) != *high) continue;
    const int raw = floor->a, floored = floor->out;
    std::erase_if(program.body, [&](const TileInstruction& i) { return i.out == floored; });
    for (TileInstruction& i : program.body) {
      if (i.a == floored) i.a = raw;
    }
  }
}

bool is_unary(const TileInstruction* i, TileUnary op) { return i != nullptr && i->kind == Kind::unary && i->unary == op; }

/// The size of what relu made is that itself: where nothing but a sum reads it, only the sign of NaN is lost.
void drop_sizes(Pass& pass) {
  auto& body = pass.program.body;
  for (std::size_t k = 0; k < body.size(); ++k) {
    if (body[k].kind != Kind::reduce || pass.reduced[body[k].index].way != Way::blocks) continue;
    const TileInstruction* size = only_for_one(pass.program, body[k].a);
    if (!is_unary(size, TileUnary::abs)) continue;
    const int value = size->a, dropped = size->out;
    const bool of_relu =
        std::ranges::any_of(body, [&](const TileInstruction& i) { return i.out == value && is_unary(&i, TileUnary::relu); });
    if (!of_relu) continue;
    body[k].a = value;
    std::erase_if(body, [&](const TileInstruction& i) { return i.out == dropped; });
    --k;  // it stood before
  }
}

/// Sums in blocks of the same values are taken once.
void find_twins(Pass& pass) {
  std::vector<TileInstruction> sums;
  std::erase_if(pass.program.body, [&](const TileInstruction& i) {
    if (i.kind != Kind::reduce || pass.reduced[i.index].way != Way::blocks) return false;
    const auto twin = std::ranges::find_if(
        sums, [&](const TileInstruction& other) { return other.a == i.a && other.b == i.b && other.c == i.c; });
    if (twin == sums.end()) {
      sums.push_back(i);
      return false;
    }
    pass.reduced[i.index].twin = twin->index;
    return true;
  });
}

/// Stores as u8 of what is clipped to 0 and a whole number clip by themselves.
void take_clips(Pass& pass) {
  TileProgram& program = pass.program;
  pass.clipped.resize(program.stores.size());
  for (std::size_t s = 0; s < program.stores.size(); ++s) {
    if (program.stores[s].dtype != DType::u8) continue;
    const TileInstruction* least = only_for_one(program, program.stores[s].value);
    if (!is_binary(least, TileBinary::minimum)) continue;
    const TileInstruction* greatest = only_for_one(program, least->a);
    if (!is_binary(greatest, TileBinary::maximum)) continue;
    const auto high = number_of(program, least->b), low = number_of(program, greatest->b);
    if (!high || !low || *low != 0 || !(*high >= 0 && *high <= 255) || std::floor(*high) != *high) continue;
    const int raw = greatest->a, clipped = least->out, lower = greatest->out;
    pass.clipped[s] = *high;
    std::erase_if(program.body, [&](const TileInstruction& i) { return i.out == clipped || i.out == lower; });
    for (TileInstruction& i : program.body) {
      if (i.kind == Kind::store && i.index == static_cast<int>(s)) i.a = raw;
    }
  }
}

bool is_condition(const TileProgram& program, int value) {
  if (program.values[value].fill != Fill::full) return false;
  return std::ranges::any_of(program.body, [&](const TileInstruction& i) {
    return i.out == value && ((i.kind == Kind::binary && i.binary >= TileBinary::less) ||
                              (i.kind == Kind::unary && i.unary == TileUnary::is_finite));
  });
}

bool takes_conditions(Way way) { return way == Way::blocks || way == Way::columns || way == Way::extremes; }

/// What a reduced value is where it changes nothing: nothing is added, no extreme is beyond it.
float neutral(const Pass::Reduced& reduced) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  return reduced.way == Way::blocks ? 0 : reduced.is_max ? -infinity : infinity;
}

/// A value that is chosen by a comparison, and on one side changes nothing, is reduced on the other side alone.
void take_conditions(Pass& pass) {
  TileProgram& program = pass.program;
  for (std::size_t r = 0; r < pass.reduced.size(); ++r) {
    const auto reduce = std::ranges::find_if(
        program.body, [&](const TileInstruction& i) { return i.kind == Kind::reduce && i.index == static_cast<int>(r); });
    if (reduce == program.body.end() || !takes_conditions(pass.reduced[r].way)) continue;
    const TileInstruction* made = only_for_one(program, reduce->a);
    if (made == nullptr) continue;
    const auto is_neutral = [&](int value) {
      const auto number = number_of(program, value);
      return number && *number == neutral(pass.reduced[r]);
    };
    const int dropped = made->out;
    if (made->kind == Kind::select && is_condition(program, made->a) && is_neutral(made->c)) {
      reduce->b = made->a;
      reduce->a = made->b;
    } else if (made->kind == Kind::select && is_condition(program, made->a) && is_neutral(made->b)) {
      reduce->c = made->a;
      reduce->a = made->c;
    } else if (pass.reduced[r].way == Way::blocks && is_binary(made, TileBinary::subtract) && is_condition(program, made->b) &&
               number_of(program, made->a) == std::optional(1.0F)) {
      reduce->c = made->b;  // 1 - 1 is nothing
      reduce->a = made->a;
    } else {
      continue;
    }
    std::erase_if(program.body, [&](const TileInstruction& i) { return i.out == dropped; });
  }
}

/// Leaves what the moments' values need.
void keep_for_moments(Pass& pass) {
  std::vector<bool> needed(pass.program.values.size());
  auto& body = pass.program.body;
  std::vector<TileInstruction> kept;
  for (auto i = body.rbegin(); i != body.rend(); ++i) {
    const bool wanted = i->kind == Kind::reduce ? pass.reduced[i->index].way == Way::moments : i->out >= 0 && needed[i->out];
    if (!wanted) continue;
    for (const int arg : {i->a, i->b, i->c}) {
      if (arg >= 0) needed[arg] = true;
    }
    kept.push_back(*i);
  }
  body.assign(kept.rbegin(), kept.rend());
}

/// Whether each row has one result, which rows that follow each other may share.
bool is_of_rows(const FusedProgram& source, const FusedProgram::Reduction& r) {
  return r.pattern == Pattern::strided && r.strides[source.space.extents.size() - 1] == 0;
}

Way way_of(const FusedProgram& source, const FusedProgram::Reduction& r, bool blocks, bool is_size) {
  using Reduction = FusedProgram::Reduction::Kind;
  const bool extreme = r.kind == Reduction::max || r.kind == Reduction::min, sum = r.kind == Reduction::sum;
  // Of other numbers the order of rows shows: in the sign of a zero, and in numbers so small that they count as equal.
  if (r.kind == Reduction::max && is_size && is_of_rows(source, r)) return Way::rows;
  if (is_by_column(source, r)) {
    if (extreme) return Way::columns;
    if (source.in_order) return sum ? Way::doubles : Way::spilled;
    return sum ? Way::blocks : Way::moments;
  }
  // Lanes want their rows one after the other, blocks several at once.
  if (r.pattern != Pattern::scalar || blocks) return Way::spilled;
  if (extreme) return Way::extremes;
  return sum && !source.in_order ? Way::lanes : Way::spilled;
}

/// Whether rows are taken one after the other, not in blocks: for the sake of lanes, or as there are more elements that serve
/// all of a row, and are read once then, than rows that serve all rows, which are read once a block else.
bool walks_rows(const Pass& pass, const Facts& facts) {
  const auto any = [&](std::initializer_list<Way> ways) {
    return std::ranges::any_of(pass.reduced,
                               [&](const Pass::Reduced& r) { return std::ranges::find(ways, r.way) != ways.end(); });
  };
  if (pass.flat || any({Way::lanes, Way::extremes})) return true;
  std::ptrdiff_t rows = 0;
  for (std::size_t v = 0; v < pass.program.values.size(); ++v) {
    rows += pass.program.values[v].fill == Fill::row && facts.last[v] >= 0;
  }
  const auto ones = std::ranges::count_if(pass.loads, [](const Pass::Load& load) { return load.one; });
  return ones > rows && !any({Way::blocks, Way::moments, Way::doubles, Way::columns});
}

const char* refusal(const FusedProgram& source, const TileProgram& program) {
  for (const TileLoad& load : program.loads) {
    if (load.pattern == Pattern::strided && load.strides[source.space.extents.size() - 1] > 1) return "columns apart";
  }
  return nullptr;
}

}  // namespace

bool make_passes(const FusedProgram& source, const TileProgram& program, Passes& passes, std::string& why) {
  if (const char* reason = refusal(source, program)) {
    why = reason;
    return false;
  }
  Pass& pass = passes.whole;
  pass.program = program;
  drop_floors(pass.program);
  pass.flat = !knows_rows(source);
  for (const TileLoad& load : program.loads) {
    Pass::Load l{.input = load.input, .dtype = load.dtype, .dense = load.pattern == Pattern::dense};
    if (load.pattern == Pattern::strided) {
      l.line = pass.lines++;
      l.one = load.strides[source.space.extents.size() - 1] == 0;
    }
    pass.loads.push_back(l);
  }
  const bool blocks = std::ranges::any_of(source.reductions, [&](const FusedProgram::Reduction& r) {
    const Way way = way_of(source, r, false, false);
    return way == Way::blocks || way == Way::moments;
  });
  const Facts facts(pass);
  for (std::size_t r = 0; r < source.reductions.size(); ++r) {
    const FusedProgram::Reduction& reduction = source.reductions[r];
    Pass::Reduced reduced{.way = way_of(source, reduction, blocks, facts.is_size(program.reduced[r])),
                          .is_max = reduction.kind == FusedProgram::Reduction::Kind::max};
    if (reduced.way == Way::spilled || reduced.way == Way::rows) reduced.line = pass.lines++;
    pass.has_pivots = pass.has_pivots || reduced.way == Way::moments;
    pass.reduced.push_back(reduced);
  }
  pass.block_rows = walks_rows(pass, facts) ? 1 : static_cast<std::int64_t>(qfw::cpu::block_rows);
  take_clips(pass);
  take_conditions(pass);
  drop_sizes(pass);
  find_twins(pass);
  if (pass.lines > most_lines) {
    why = "too many operands that lie apart";
    return false;
  }
  if (pass.has_pivots) {
    passes.pivots = pass;
    keep_for_moments(passes.pivots);
  }
  return true;
}

std::string Pass::text() const {
  std::string text = fmt::format("{} {} {}\n", flat ? "flat" : "rows", block_rows, has_pivots ? "pivots" : "");
  for (const TileInstruction& i : program.body) {
    text += fmt::format("{}.{}.{}.{} {} {} {} -> {}\n", static_cast<int>(i.kind), i.index, static_cast<int>(i.unary),
                        static_cast<int>(i.binary), i.a, i.b, i.c, i.out);
  }
  for (std::size_t v = 0; v < program.values.size(); ++v) {
    text += static_cast<char>('0' + static_cast<int>(program.values[v].fill));
    if (const auto number = number_of(program, static_cast<int>(v))) {
      text += fmt::format("={:x},", std::bit_cast<std::uint32_t>(*number));
    }
  }
  text += '\n';
  const Facts facts(*this);
  for (const TileInstruction& i : program.prologue) text += facts.flushed[i.out] ? 'f' : 's';
  for (const Load& l : loads)
    text += fmt::format("\nload {} {} {} {} {}", l.input, static_cast<int>(l.dtype), l.dense, l.line, l.one);
  for (const TileStore& s : program.stores) {
    text += fmt::format("\nstore {} {} {}", s.output, static_cast<int>(s.dtype), s.rounds);
  }
  for (const auto& high : clipped) text += high ? fmt::format("\nclipped to {}", *high) : "\nnot clipped";
  for (const Reduced& r : reduced)
    text += fmt::format("\nreduce {} {} {} {}", static_cast<int>(r.way), r.is_max, r.line, r.twin);
  return text;
}

namespace {

bool makes_no_subnormal(const Facts& facts, const Pass& pass, const TileInstruction& i) {
  switch (i.kind) {
    case Kind::load:
      return is_code(pass.loads[i.index].dtype);
    case Kind::unary:
      switch (i.unary) {
        case TileUnary::negate:
        case TileUnary::abs:
        case TileUnary::relu:
        case TileUnary::round_bf16:
          return facts.flushed[i.a];
        case TileUnary::exp:
        case TileUnary::log:
        case TileUnary::tanh:
        case TileUnary::sqrt:
        case TileUnary::floor:
        case TileUnary::round_even:
        case TileUnary::is_finite:
        case TileUnary::to_float:
          return true;
        default:
          return false;
      }
    case Kind::binary:
      if (i.binary == TileBinary::minimum || i.binary == TileBinary::maximum) return facts.flushed[i.a] && facts.flushed[i.b];
      return true;
    case Kind::select:
      return facts.flushed[i.b] && facts.flushed[i.c];
    case Kind::spread:
      return facts.flushed[i.a];
    default:
      return false;
  }
}

/// Whether the result's sign bit is clear.
bool has_no_sign(const Facts& facts, const Pass& pass, const TileInstruction& i) {
  switch (i.kind) {
    case Kind::load:
      return pass.loads[i.index].dtype == DType::u8;
    case Kind::unary:
      return i.unary == TileUnary::abs || i.unary == TileUnary::is_finite ||
             (i.unary == TileUnary::round_bf16 && facts.no_sign[i.a]);
    case Kind::binary:
      return i.binary >= TileBinary::less;
    default:
      return false;
  }
}

/// Whether an instruction that reads a value sees no difference between its zeros.
bool sees_no_sign(const Facts& facts, const Pass& pass, const TileInstruction& i, int value) {
  switch (i.kind) {
    case Kind::store:
      return is_code(pass.program.stores[i.index].dtype);
    case Kind::select:
      return value != i.b && value != i.c;
    case Kind::unary:
      return i.unary == TileUnary::relu || i.unary == TileUnary::abs || i.unary == TileUnary::is_finite ||
             i.unary == TileUnary::to_int;
    case Kind::binary:
      if (i.binary == TileBinary::minimum || i.binary == TileBinary::maximum) return facts.unsigned_zero[i.out];
      return i.binary >= TileBinary::less;
    default:
      return false;
  }
}

}  // namespace

Facts::Facts(const Pass& pass) {
  const TileProgram& program = pass.program;
  const std::size_t n = program.values.size();
  last.assign(n, -1);
  reads.assign(n, 0);
  is_number.assign(n, false);
  number.assign(n, 0);
  flushed.assign(n, false);
  unsigned_zero.assign(n, true);
  no_sign.assign(n, false);
  for (std::size_t v = 0; v < n; ++v) {
    const auto known = number_of(program, static_cast<int>(v));
    if (!known) continue;
    is_number[v] = true;
    number[v] = *known;
    flushed[v] = std::fpclassify(*known) != FP_SUBNORMAL;
  }
  for (const auto* part : {&program.prologue, &program.body}) {
    for (const TileInstruction& i : *part) {
      if (i.out < 0) continue;
      flushed[i.out] = makes_no_subnormal(*this, pass, i);
      no_sign[i.out] = has_no_sign(*this, pass, i);
    }
  }
  for (int k = static_cast<int>(program.body.size()) - 1; k >= 0; --k) {
    const TileInstruction& i = program.body[k];
    for (const int arg : {i.a, i.b, i.c}) {
      if (arg < 0) continue;
      last[arg] = std::max(last[arg], k);
      ++reads[arg];
      if (!sees_no_sign(*this, pass, i, arg)) unsigned_zero[arg] = false;
    }
  }
}

}  // namespace qfw::cpu::x86
