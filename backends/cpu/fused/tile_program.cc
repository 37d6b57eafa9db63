#include "tile_program.h"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "qfw/error.h"

namespace qfw::cpu {

std::int64_t Space::count() const {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

namespace {

[[noreturn]] void refuse(const Node& node, const char* what) {
  fail(Error::Category::internal, "fused engine", std::string(name_of(node.op)) + " " + what, node.path,
       "report this graph: plan_fusion should not have made such a group");
}

class Compiler {
 public:
  Compiler(const Graph& graph, const FusedGroup& group)
      : graph_(graph), group_(group), members_(group.nodes.begin(), group.nodes.end()) {
    for (int i = 0; i < static_cast<int>(group.inputs.size()); ++i) inputs_[key(group.inputs[i])] = i;
  }

  TileProgram run() {
    program_.in_order = graph_.summation == Summation::in_order;
    find_space();
    emit_reductions();
    emit_stores();
    merge_axes();
    classify();
    split_prologue();
    fold_rounding();
    place_results();
    assign_buffers();
    return std::move(program_);
  }

 private:
  static std::pair<int, int> key(Use use) { return {use.node, use.output}; }
  bool in_memory(Use use) const { return inputs_.contains(key(use)); }

  void find_space() {
    const auto consider = [&](const Shape& shape) {
      const auto extents = key_of(shape);
      const auto count = [](const std::vector<std::int64_t>& e) {
        return std::accumulate(e.begin(), e.end(), std::int64_t{1}, std::multiplies<>());
      };
      if (count(extents) > count(program_.space.extents)) program_.space.extents = extents;
    };
    for (const int number : group_.nodes) {
      const Node& node = graph_.nodes[number];
      const bool computes = class_of(node.op) == OpClass::elementwise || class_of(node.op) == OpClass::reduction;
      if (!computes && output_of({number, 0}) < 0) continue;  // a view or a constant on the way
      consider(class_of(node.op) == OpClass::reduction ? graph_.type(node.inputs[0]).shape : node.outputs[0].shape);
    }
    if (program_.space.extents.empty()) program_.space.extents = {1};
  }

  void expect_in_space(const Node& node, const Shape& shape) const {
    auto extents = key_of(shape);
    if (extents.empty()) extents = {1};
    if (extents != program_.space.extents) refuse(node, "does not share its group's index space");
  }

  // ---- values --------------------------------------------------------------------------------------------------------
  int new_value(bool words) {
    program_.values.push_back({.words = words});
    return static_cast<int>(program_.values.size()) - 1;
  }

  int emit(TileInstruction instruction, bool words = false) {
    const auto identity = std::tuple(instruction.kind, instruction.index, instruction.unary, instruction.binary, instruction.a,
                                     instruction.b, instruction.c);
    const auto [at, fresh] = seen_.try_emplace(identity, -1);
    if (fresh) {
      instruction.out = at->second = new_value(words);
      program_.body.push_back(instruction);
    }
    return at->second;
  }

  int number(const Node& node) {
    const double value = node.as<Number>().value;
    const DType dtype = node.outputs[0].dtype;
    float stored = static_cast<float>(value);
    if (dtype == DType::bf16) stored = static_cast<float>(BFloat16(stored));
    const bool words = dtype == DType::s32;
    if (words) stored = std::bit_cast<float>(static_cast<std::int32_t>(value));
    const auto [at, fresh] = numbers_.try_emplace({std::bit_cast<std::uint32_t>(stored), words}, -1);
    if (fresh) {
      at->second = new_value(words);
      program_.values.back().fill = Fill::scalar;
      program_.values.back().buffer = static_cast<int>(program_.numbers.size());
      program_.numbers.push_back(stored);
    }
    return at->second;
  }

  /// The value of `use` as an operand of a node whose elements are those of `wide`.
  int operand(const Node& reader, Use use, const Shape& wide) {
    Use at = use;
    while (!in_memory(at)) {  // through views that move nothing, to what computes it
      const Node& node = graph_.nodes[at.node];
      if (node.op == Op::constant) return number(node);
      if (class_of(node.op) != OpClass::view) {
        if (class_of(node.op) != OpClass::elementwise || !members_.contains(at.node)) {
          refuse(reader, "reads what is neither in memory nor in its group");
        }
        expect_in_space(node, node.outputs[0].shape);
        return computed(at.node);
      }
      at = node.inputs[0];
    }
    View view;
    if (!resolve_view(
            graph_, use, [&](Use u) { return in_memory(u); }, view))
      refuse(reader, "reads through views without strides");
    TileLoad load{.input = inputs_.at(key(view.base)),
                  .dtype = graph_.type(view.base).dtype,
                  .strides = strides_in(view.shape, view.strides, wide)};
    return loaded(load);
  }

  int loaded(TileLoad load) {
    for (int i = 0; i < static_cast<int>(program_.loads.size()); ++i) {
      const TileLoad& other = program_.loads[i];
      if (other.input == load.input && other.strides == load.strides) return other.value;
    }
    program_.loads.push_back(load);
    const int index = static_cast<int>(program_.loads.size()) - 1;
    const int value = emit({.kind = TileInstruction::Kind::load, .index = index}, load.dtype == DType::s32);
    return program_.loads[index].value = value;
  }

  int unary(TileUnary op, int a, bool words = false) {
    return emit({.kind = TileInstruction::Kind::unary, .unary = op, .a = a}, words);
  }

  int computed(int number) {
    if (const auto known = computed_.find(number); known != computed_.end()) return known->second;
    const Node& node = graph_.nodes[number];
    const Shape& shape = node.outputs[0].shape;
    std::vector<int> args;
    for (const Use use : node.inputs) args.push_back(operand(node, use, shape));
    const DType dtype = node.outputs[0].dtype;
    int value = -1;
    if (node.op == Op::cast) {
      value = args[0];
      const bool from_words = program_.values[value].words, to_words = dtype == DType::s32;
      if (from_words && !to_words) value = unary(TileUnary::to_float, value);
      if (!from_words && to_words) value = unary(TileUnary::to_int, value, true);
      const DType from = graph_.type(node.inputs[0]).dtype;
      const bool rounds = dtype == DType::bf16 && from != DType::bf16 && from != DType::u8 && from != DType::s8;
      if (rounds) value = unary(TileUnary::round_bf16, value);
      return computed_[number] = value;
    }
    switch (args.size()) {
      case 1:
        value = unary(unary_of(node), args[0]);
        break;
      case 2:
        value = emit({.kind = TileInstruction::Kind::binary, .binary = binary_of(node), .a = args[0], .b = args[1]});
        break;
      case 3:
        value = emit({.kind = TileInstruction::Kind::select, .a = args[0], .b = args[1], .c = args[2]},
                     program_.values[args[1]].words);
        break;
      default:
        refuse(node, "is not known to the fused engine");
    }
    const bool exact = node.op == Op::negate || node.op == Op::abs || node.op == Op::relu || node.op == Op::minimum ||
                       node.op == Op::maximum || node.op == Op::select || node.op == Op::floor || node.op == Op::round_even;
    if (dtype == DType::bf16 && !exact) value = unary(TileUnary::round_bf16, value);
    return computed_[number] = value;
  }

  static TileUnary unary_of(const Node& node) {
    switch (node.op) {
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
        refuse(node, "is not known to the fused engine");
    }
  }

  static TileBinary binary_of(const Node& node) {
    switch (node.op) {
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
        refuse(node, "is not known to the fused engine");
    }
  }

  // ---- results -------------------------------------------------------------------------------------------------------
  int output_of(Use use) const {
    const auto at = std::find(group_.outputs.begin(), group_.outputs.end(), use);
    return at == group_.outputs.end() ? -1 : static_cast<int>(at - group_.outputs.begin());
  }

  void emit_reductions() {
    for (const int number : group_.nodes) {
      const Node& node = graph_.nodes[number];
      if (class_of(node.op) != OpClass::reduction) continue;
      using Kind = TileReduction::Kind;
      const Shape& from = graph_.type(node.inputs[0]).shape;
      expect_in_space(node, from);
      TileReduction reduction{.kind = node.op == Op::sum          ? Kind::sum
                                      : node.op == Op::reduce_max ? Kind::max
                                      : node.op == Op::reduce_min ? Kind::min
                                                                  : Kind::moments};
      reduction.output = output_of({number, 0});
      if (reduction.kind == Kind::moments) reduction.second_output = output_of({number, 1});
      if (reduction.output < 0 && reduction.second_output < 0) continue;
      reduction.value = operand(node, node.inputs[0], from);
      const Shape& to = node.outputs[0].shape;
      reduction.strides = strides_in(to, dense_strides(to), from);
      reduction.results = to.count();
      reduction.count = from.count() / std::max<std::int64_t>(1, to.count());
      program_.reductions.push_back(reduction);
    }
  }

  void emit_stores() {
    for (int i = 0; i < static_cast<int>(group_.outputs.size()); ++i) {
      const Use use = group_.outputs[i];
      const Node& node = graph_.nodes[use.node];
      if (class_of(node.op) == OpClass::reduction) continue;
      const TensorType& type = graph_.type(use);
      expect_in_space(node, type.shape);
      program_.stores.push_back({.output = i, .dtype = type.dtype, .value = operand(node, use, type.shape)});
    }
  }

  // ---- geometry ------------------------------------------------------------------------------------------------------
  void merge_axes() {
    auto& extents = program_.space.extents;
    std::vector<Strides*> all;
    for (auto& load : program_.loads) all.push_back(&load.strides);
    for (auto& reduction : program_.reductions) all.push_back(&reduction.strides);
    for (int axis = static_cast<int>(extents.size()) - 2; axis >= 0; --axis) {
      const bool merge = std::all_of(all.begin(), all.end(),
                                     [&](const Strides* s) { return (*s)[axis] == (*s)[axis + 1] * extents[axis + 1]; });
      if (!merge) continue;
      extents[axis] *= extents[axis + 1];
      extents.erase(extents.begin() + axis + 1);
      for (Strides* s : all) {
        s->at(axis) = s->at(axis + 1);
        std::copy(s->begin() + axis + 2, s->end(), s->begin() + axis + 1);
        s->back() = 0;
      }
    }
  }

  Pattern pattern_of(const Strides& strides) const {
    const auto& extents = program_.space.extents;
    const int last = static_cast<int>(extents.size()) - 1;
    bool dense = true, outer_zero = true;
    std::int64_t expected = 1;
    for (int axis = last; axis >= 0; --axis) {
      dense = dense && strides[axis] == (extents[axis] == 1 ? 0 : expected);
      expected *= extents[axis];
      outer_zero = outer_zero && (axis == last || strides[axis] == 0);
    }
    if (dense) return Pattern::dense;
    if (outer_zero && strides[last] == 0) return Pattern::scalar;
    if (outer_zero && strides[last] == 1) return Pattern::row;
    return Pattern::strided;
  }

  Pattern result_pattern(const Strides& strides) const {
    const int last = static_cast<int>(program_.space.extents.size()) - 1;
    const bool outer_zero = std::all_of(strides.begin(), strides.begin() + last, [](std::int64_t s) { return s == 0; });
    if (!outer_zero || strides[last] > 1) return Pattern::strided;
    return strides[last] == 1 ? Pattern::row : Pattern::scalar;
  }

  void classify() {
    for (auto& load : program_.loads) {
      load.pattern = pattern_of(load.strides);
      program_.values[load.value].fill = load.pattern == Pattern::scalar ? Fill::scalar
                                         : load.pattern == Pattern::row  ? Fill::row
                                                                         : Fill::full;
    }
    for (auto& reduction : program_.reductions) reduction.pattern = result_pattern(reduction.strides);
    for (auto& instruction : program_.body) {
      if (instruction.kind == TileInstruction::Kind::load) continue;
      Fill fill = Fill::scalar;
      for (const int arg : {instruction.a, instruction.b, instruction.c}) {
        if (arg >= 0) fill = std::max(fill, program_.values[arg].fill);
      }
      program_.values[instruction.out].fill = fill;
    }
  }

  int spread(int value, Fill fill, std::vector<TileInstruction>& body) {
    const auto [at, fresh] = spread_.try_emplace({value, fill}, -1);
    if (fresh) {
      at->second = new_value(program_.values[value].words);
      program_.values.back().fill = fill;
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
    for (auto& reduction : program_.reductions) {
      if (program_.values[reduction.value].fill != Fill::full) reduction.value = spread(reduction.value, Fill::full, body);
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
    for (const auto& reduction : program_.reductions) ++readers[reduction.value];
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
      for (int i = 0; i < static_cast<int>(program_.reductions.size()); ++i) {
        if (program_.reductions[i].value == instruction.out)
          body.push_back({.kind = Kind::reduce, .index = i, .a = instruction.out});
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

  const Graph& graph_;
  const FusedGroup& group_;
  std::set<int> members_;
  std::map<std::pair<int, int>, int> inputs_;
  std::map<int, int> computed_;
  std::map<std::pair<int, Fill>, int> spread_;
  std::map<std::pair<std::uint32_t, bool>, int> numbers_;
  std::map<std::tuple<TileInstruction::Kind, int, TileUnary, TileBinary, int, int, int>, int> seen_;
  TileProgram program_;
};

}  // namespace

TileProgram compile_tiles(const Graph& graph, const FusedGroup& group) { return Compiler(graph, group).run(); }

}  // namespace qfw::cpu
