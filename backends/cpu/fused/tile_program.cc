#include "tile_program.h"

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <tuple>

#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw::cpu {
namespace {

using lowering::Fill;
using lowering::FusedProgram;

[[noreturn]] void refuse(Op op) {
  fail(Error::Category::internal, "fused engine", std::string(name_of(op)) + " is not known to the fused engine", {},
       "report this graph");
}

TileUnary unary_of(Op op) {
  switch (op) {
    case Op::negate:
      return TileUnary::negate;
    case Op::relu:
      return TileUnary::relu;
    case Op::abs:
      return TileUnary::abs;
    case Op::exp:
      return TileUnary::exp;
    case Op::log:
      return TileUnary::log;
    case Op::sqrt:
      return TileUnary::sqrt;
    case Op::tanh:
      return TileUnary::tanh;
    case Op::floor:
      return TileUnary::floor;
    case Op::round_even:
      return TileUnary::round_even;
    case Op::is_finite:
      return TileUnary::is_finite;
    default:
      refuse(op);
  }
}

TileBinary binary_of(Op op) {
  switch (op) {
    case Op::add:
      return TileBinary::add;
    case Op::subtract:
      return TileBinary::subtract;
    case Op::multiply:
      return TileBinary::multiply;
    case Op::divide:
      return TileBinary::divide;
    case Op::minimum:
      return TileBinary::minimum;
    case Op::maximum:
      return TileBinary::maximum;
    case Op::less:
      return TileBinary::less;
    case Op::less_equal:
      return TileBinary::less_equal;
    case Op::equal:
      return TileBinary::equal;
    default:
      refuse(op);
  }
}

bool fits_bf16(DType dtype) { return dtype == DType::bf16 || dtype == DType::u8 || dtype == DType::s8; }

class Compiler {
 public:
  explicit Compiler(const FusedProgram& source) : source_(source) {}

  TileProgram run() {
    for (const FusedProgram::Load& load : source_.loads) {
      program_.loads.push_back(
          {.input = load.input, .dtype = load.dtype, .pattern = load.pattern, .strides = load.strides, .value = -1});
    }
    for (const FusedProgram::Value& value : source_.values) values_.push_back(translated(value));
    for (const FusedProgram::Reduction& reduction : source_.reductions) program_.reduced.push_back(values_[reduction.value]);
    for (const FusedProgram::Store& store : source_.stores) {
      program_.stores.push_back({.output = store.output, .dtype = store.dtype, .value = values_[store.value]});
    }
    split_prologue();
    fold_rounding();
    place_results();
    assign_buffers();
    return std::move(program_);
  }

 private:
  // ---- values --------------------------------------------------------------------------------------------------------
  int new_value(bool words, Fill fill) {
    program_.values.push_back({.fill = fill, .words = words});
    return static_cast<int>(program_.values.size()) - 1;
  }

  int emit(TileInstruction instruction, bool words, Fill fill) {
    const auto identity = std::tuple(instruction.kind, instruction.index, instruction.unary, instruction.binary, instruction.a,
                                     instruction.b, instruction.c);
    const auto [at, fresh] = seen_.try_emplace(identity, -1);
    if (fresh) {
      instruction.out = at->second = new_value(words, fill);
      program_.body.push_back(instruction);
    }
    return at->second;
  }

  int number(double value, DType dtype) {
    const bool words = dtype == DType::s32;
    const float stored = words ? std::bit_cast<float>(static_cast<std::int32_t>(value)) : static_cast<float>(value);
    const auto [at, fresh] = numbers_.try_emplace({std::bit_cast<std::uint32_t>(stored), words}, -1);
    if (fresh) {
      at->second = new_value(words, Fill::scalar);
      program_.values.back().buffer = static_cast<int>(program_.numbers.size());
      program_.numbers.push_back(stored);
    }
    return at->second;
  }

  int translated(const FusedProgram::Value& value) {
    using Kind = FusedProgram::Value::Kind;
    if (value.kind == Kind::number) return number(value.number, value.dtype);
    if (value.kind == Kind::load) {
      const int out = emit({.kind = TileInstruction::Kind::load, .index = value.load}, value.dtype == DType::s32, value.fill);
      return program_.loads[value.load].value = out;
    }
    const auto unary = [&](TileUnary op, int a, bool words = false) {
      return emit({.kind = TileInstruction::Kind::unary, .unary = op, .a = a}, words, value.fill);
    };
    const bool words = value.dtype == DType::s32;
    const auto arg = [&](int i) { return value.args[i] < 0 ? -1 : values_[value.args[i]]; };
    int result = arg(0);
    bool rounds = value.dtype == DType::bf16;
    if (value.op == Op::cast) {
      const DType from = source_.values[value.args[0]].dtype;
      const bool from_words = from == DType::s32;
      if (from_words && !words) result = unary(TileUnary::to_float, result);
      if (!from_words && words) result = unary(TileUnary::to_int, result, true);
      rounds = rounds && !fits_bf16(from);
    } else {
      rounds = rounds && !definition(value.op).exact;
      if (arg(2) >= 0) {
        result = emit({.kind = TileInstruction::Kind::select, .a = arg(0), .b = arg(1), .c = arg(2)}, words, value.fill);
      } else if (arg(1) >= 0) {
        result = emit({.kind = TileInstruction::Kind::binary, .binary = binary_of(value.op), .a = arg(0), .b = arg(1)}, false,
                      value.fill);
      } else {
        result = unary(unary_of(value.op), result);
      }
    }
    return rounds ? unary(TileUnary::round_bf16, result) : result;
  }

  // ---- policy --------------------------------------------------------------------------------------------------------
  int spread(int value, Fill fill, std::vector<TileInstruction>& body) {
    const auto [at, fresh] = spread_.try_emplace({value, fill}, -1);
    if (fresh) {
      at->second = new_value(program_.values[value].words, fill);
      body.push_back({.kind = TileInstruction::Kind::spread, .a = value, .out = at->second});
    }
    return at->second;
  }

  /// Rows and scalars are computed once per run; operands get one of the kinds that loops exist for.
  void split_prologue() {
    std::vector<TileInstruction> body;
    for (auto instruction : program_.body) {
      const Fill fill = program_.values[instruction.out].fill;
      auto& to = fill == Fill::full ? body : program_.prologue;
      if (instruction.kind == TileInstruction::Kind::select) {
        for (int* arg : {&instruction.a, &instruction.b, &instruction.c}) {
          const Fill own = program_.values[*arg].fill;
          if (own != fill && (own == Fill::row || arg == &instruction.a)) *arg = spread(*arg, fill, to);
        }
      }
      to.push_back(instruction);
    }
    for (auto& store : program_.stores) {
      if (program_.values[store.value].fill != Fill::full) store.value = spread(store.value, Fill::full, body);
    }
    for (int& value : program_.reduced) {
      if (program_.values[value].fill != Fill::full) value = spread(value, Fill::full, body);
    }
    program_.body = std::move(body);
  }

  /// A bf16 result that nobody else reads is rounded while it is stored.
  void fold_rounding() {
    std::vector<int> readers(program_.values.size());
    for (const auto& instruction : program_.body) {
      for (const int arg : {instruction.a, instruction.b, instruction.c}) {
        if (arg >= 0) ++readers[arg];
      }
    }
    for (const int value : program_.reduced) ++readers[value];
    std::vector<int> stores(program_.values.size());
    for (const auto& store : program_.stores) ++stores[store.value];
    std::erase_if(program_.body, [&](const TileInstruction& instruction) {
      const bool rounds = instruction.kind == TileInstruction::Kind::unary && instruction.unary == TileUnary::round_bf16;
      if (!rounds || readers[instruction.out] != 0 || stores[instruction.out] != 1) return false;
      const auto store = std::find_if(program_.stores.begin(), program_.stores.end(),
                                      [&](const TileStore& s) { return s.value == instruction.out; });
      if (store->dtype != DType::bf16) return false;
      store->value = instruction.a;
      store->rounds = true;
      return true;
    });
  }

  /// Stores and reductions stand right behind what they read, so that its buffer is free again soon.
  void place_results() {
    using Kind = TileInstruction::Kind;
    std::vector<TileInstruction> body;
    for (const auto& instruction : program_.body) {
      body.push_back(instruction);
      for (int i = 0; i < static_cast<int>(program_.reduced.size()); ++i) {
        if (program_.reduced[i] == instruction.out) body.push_back({.kind = Kind::reduce, .index = i, .a = instruction.out});
      }
      bool direct = instruction.kind != Kind::load;
      for (int i = 0; i < static_cast<int>(program_.stores.size()); ++i) {
        TileStore& store = program_.stores[i];
        if (store.value != instruction.out) continue;
        store.direct = direct && size_of(store.dtype) == sizeof(float);
        direct = direct && !store.direct;
        body.push_back({.kind = Kind::store, .index = i, .a = instruction.out});
      }
    }
    program_.body = std::move(body);
  }

  // ---- buffers -------------------------------------------------------------------------------------------------------
  void assign_buffers() {
    auto& values = program_.values;
    program_.scalar_buffers = static_cast<int>(program_.numbers.size());
    for (const auto& instruction : program_.prologue) {
      TileValue& value = values[instruction.out];
      value.buffer = value.fill == Fill::scalar ? program_.scalar_buffers++ : program_.row_buffers++;
    }
    const int end = static_cast<int>(program_.body.size());
    for (int at = 0; at < end; ++at) {
      const auto& instruction = program_.body[at];
      if (instruction.out >= 0) values[instruction.out].first = values[instruction.out].last = at;
      for (const int arg : {instruction.a, instruction.b, instruction.c}) {
        if (arg >= 0) values[arg].last = at;
      }
    }
    std::vector<int> free;
    for (int at = 0; at < end; ++at) {
      const auto& instruction = program_.body[at];
      std::set<int> dying;
      for (const int arg : {instruction.a, instruction.b, instruction.c}) {
        if (arg >= 0 && values[arg].fill == Fill::full && values[arg].last == at) dying.insert(values[arg].buffer);
      }
      free.insert(free.end(), dying.begin(), dying.end());  // loops work in place
      if (instruction.out < 0) continue;
      TileValue& out = values[instruction.out];
      if (free.empty()) {
        out.buffer = program_.full_buffers++;
      } else {
        out.buffer = free.back();
        free.pop_back();
      }
    }
  }

  const FusedProgram& source_;
  std::vector<int> values_;  ///< of each value of the source
  std::map<std::pair<int, Fill>, int> spread_;
  std::map<std::pair<std::uint32_t, bool>, int> numbers_;
  std::map<std::tuple<TileInstruction::Kind, int, TileUnary, TileBinary, int, int, int>, int> seen_;
  TileProgram program_;
};

}  // namespace

TileProgram compile_tiles(const FusedProgram& program) { return Compiler(program).run(); }

}  // namespace qfw::cpu
