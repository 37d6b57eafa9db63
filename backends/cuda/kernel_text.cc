#include "kernel_text.h"

#include <fmt/format.h>

#include <array>
#include <bit>

#include "qfw/error.h"
#include "qfw/op_definition.h"
#include "qfw/random.h"

namespace qfw::cuda {

using lowering::Fill;
using lowering::FusedProgram;
using Value = FusedProgram::Value;

namespace {

/// Whether all numbers of one are numbers of the other, a float of 16 bits.
bool fits(DType from, DType to) { return from == to || from == DType::u8 || from == DType::s8; }

/// The op of code/fused.cuh; its functions are called as ops are.
std::string function_of(Op op) {
  switch (op) {
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::minimum:
    case Op::maximum:
    case Op::negate:
    case Op::relu:
    case Op::abs:
    case Op::exp:
    case Op::log:
    case Op::sqrt:
    case Op::tanh:
    case Op::floor:
    case Op::round_even:
    case Op::is_finite:
    case Op::less:
    case Op::less_equal:
    case Op::equal:
    case Op::select:
      return fmt::format("op::{}", name_of(op));
    default:
      fail(Error::Category::internal, "cuda", fmt::format("{} is not known to fused groups", name_of(op)), {},
           "report this graph");
  }
}

}  // namespace

const char* device_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "float";
    case DType::bf16:
      return "bf16";
    case DType::f16:
      return "f16";
    case DType::s32:
      return "s32";
    case DType::s8:
      return "s8";
    case DType::u8:
      return "u8";
  }
  return "";
}

Accumulator accumulator_of(FusedProgram::Reduction::Kind kind) {
  using Kind = FusedProgram::Reduction::Kind;
  switch (kind) {
    case Kind::sum:
      return {"Sum", "Sum{0}", 1};
    case Kind::max:
      return {"Max", "Max{-infinity}", 1};
    case Kind::min:
      return {"Min", "Min{infinity}", 1};
    case Kind::moments:
      return {"Moments", "Moments{0, 0, 0}", 3};
  }
  return {};
}

KernelText::KernelText(const GroupSource& source) : source_(source), wanted_(source.program.values.size()) {
  line("using index = ", source.layout.wide ? "i64" : "unsigned", ";");
}

std::string KernelText::extent(std::int64_t value) {
  extents_.push_back(value);
  return fmt::format("x.v[{}]", extents_.size() - 1);
}

void KernelText::want(int value) {
  if (value < 0 || wanted(value)) return;
  wanted_[static_cast<std::size_t>(value)] = true;
  for (const int arg : source_.program.values[value].args) want(arg);
}

std::string KernelText::scalar_name(int value) const { return fmt::format("k{}", value); }

std::string KernelText::name(int value) const {
  switch (source_.program.values[value].fill) {
    case Fill::scalar:
      return scalar_name(value);
    case Fill::row:
      return within_rows_ ? fmt::format("v{}", value) : fmt::format("r{}[e]", value);
    case Fill::full:
      break;
  }
  return fmt::format("v{}", value);
}

const char* KernelText::type(int value) const { return source_.program.values[value].dtype == DType::s32 ? "s32" : "float"; }

void KernelText::scalars() {
  for (int v = 0; v < static_cast<int>(source_.program.values.size()); ++v) {
    const Value& value = source_.program.values[v];
    if (!wanted(v) || value.fill != Fill::scalar) continue;
    switch (value.kind) {
      case Value::Kind::number: {
        const bool words = value.dtype == DType::s32;
        const auto bits = words ? static_cast<std::uint32_t>(static_cast<std::int32_t>(value.number))
                                : std::bit_cast<std::uint32_t>(static_cast<float>(value.number));
        // Numbers are no part of the text, for many come from extents: 1 / count. 0 is.
        const std::string read = bits == 0 ? "0" : (words ? "static_cast<s32>(" : "number(") + extent(bits) + ")";
        line("const ", type(v), " ", scalar_name(v), " = ", read, ";");
        break;
      }
      case Value::Kind::load:
        line("const ", type(v), " ", scalar_name(v), " = ",
             fmt::format("value_of(in{}[0]);", source_.program.loads[value.load].input));
        break;
      case Value::Kind::compute:
        compute(v);
    }
  }
}

void KernelText::compute(int v) {
  const Value& value = source_.program.values[v];
  const Value& first = source_.program.values[value.args[0]];
  std::string made = name(value.args[0]);
  bool rounds = value.dtype == DType::bf16 || value.dtype == DType::f16;
  if (value.op == Op::cast) {
    const bool from_words = first.dtype == DType::s32, to_words = value.dtype == DType::s32;
    if (from_words && !to_words) made = fmt::format("op::to_float({})", made);
    if (!from_words && to_words) made = fmt::format("op::to_whole({})", made);
    rounds = rounds && !fits(first.dtype, value.dtype);
  } else {
    for (const int arg : {value.args[1], value.args[2]}) {
      if (arg >= 0) made += ", " + name(arg);
    }
    made = fmt::format("{}({})", function_of(value.op), made);
    rounds = rounds && !definition(value.op).exact;
  }
  if (rounds) made = fmt::format("as_{}({})", name_of(value.dtype), made);
  line("const ", type(v), " ", value.fill == Fill::scalar ? scalar_name(v) : fmt::format("v{}", v), " = ", made, ";");
}

void KernelText::put_result(const FusedProgram::Reduction& reduction, std::string_view at, std::string_view from) {
  const bool moments = reduction.kind == FusedProgram::Reduction::Kind::moments;
  if (reduction.output >= 0) {
    line(fmt::format("out{}[{}] = {}({});", reduction.output, at, moments ? "mean_of" : "value_of", from));
  }
  if (reduction.second_output >= 0) line(fmt::format("out{}[{}] = variance_of({});", reduction.second_output, at, from));
}

/// Of a kernel that is given its operands and extents.
std::string KernelText::parameters(const std::string& besides) const {
  std::string list = besides;
  for (std::size_t i = 0; i < source_.inputs.size(); ++i) {
    if (static_cast<int>(i) == source_.carried) continue;
    list += fmt::format("const {}* in{}, ", device_type(source_.inputs[i]), i);
  }
  for (std::size_t i = 0; i < source_.outputs.size(); ++i) {
    list += fmt::format("{}* out{}, ", device_type(source_.outputs[i]), i);
  }
  return fmt::format("({}double* scratch, const Extents<{}> x) {{\n  const Spot spot = own_spot();\n", list, extents_.size());
}

/// Of one that finds them in the records of a table (EmittedLaunch).
std::string KernelText::members(bool barriers) const {
  std::size_t words = 1;
  std::string found;
  const auto pointer = [&](const std::string& type, const std::string& name) {
    found += fmt::format("  {0}* const {1} = pointer_of<{0}>(record[{2}]);\n", type, name, words++);
  };
  for (std::size_t i = 0; i < source_.inputs.size(); ++i) {
    pointer(fmt::format("const {}", device_type(source_.inputs[i])), fmt::format("in{}", i));
  }
  for (std::size_t i = 0; i < source_.outputs.size(); ++i) pointer(device_type(source_.outputs[i]), fmt::format("out{}", i));
  pointer("double", "scratch");
  return fmt::format(
      "(const MemberBlock* blocks, const i64* records) {{\n"
      "  const MemberBlock which = blocks[blockIdx.x];\n"
      "  const i64* const record = records + which.member * {}ull;\n"
      "  const Spot spot = member_spot(record[0], which.block);\n"
      "{}{}"
      "  const Extents<{}> x = *reinterpret_cast<const Extents<{}>*>(record + {});\n",
      words + extents_.size(), barriers ? "" : "  if (spot.y >= spot.height) return;\n", found, extents_.size(),
      extents_.size(), words);
}

/// The ops, and what is reduced.
std::string KernelText::about(std::string_view way) const {
  constexpr std::array reductions{"sum", "max", "min", "moments"};
  std::string ops;
  const auto add = [&](std::string_view op) { (ops += ops.empty() ? ": " : ", ") += op; };
  for (std::size_t v = 0; v < wanted_.size(); ++v) {
    const Value& value = source_.program.values[v];
    if (wanted_[v] && value.kind == Value::Kind::compute) add(name_of(value.op));
  }
  std::string reduced;
  for (const FusedProgram::Reduction& reduction : source_.program.reductions) {
    const char* kind = reductions[static_cast<std::size_t>(reduction.kind)];
    if (reduced.find(kind) == std::string::npos) reduced += fmt::format("{}{}", reduced.empty() ? "; " : ", ", kind);
  }
  return fmt::format("{}{}{}", way, ops, reduced);
}

EmittedLaunch KernelText::done(const LaunchShape& shape, std::string_view way, const char* kind, const std::string& besides,
                               int threads) {
  if (extents_.empty()) extents_.push_back(0);
  const bool alone = source_.form == Form::alone;
  const std::string rest = (alone ? parameters(besides) : members(shape.barriers)) + text_ + "}\n";
  const std::string name = fmt::format("{}_{:016x}", alone ? kind : "groups", hash_of(rest));
  // With a block's share of registers for bound: without one ptxas looks for more blocks at once, and spills for them.
  const std::string head = fmt::format("extern \"C\" __global__ void __launch_bounds__({}, 1) ", threads);
  return {.source = {name, head + name + rest, about(way)}, .shape = shape, .extents = extents_};
}

}  // namespace qfw::cuda
