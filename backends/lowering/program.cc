#include "qfw/lowering/program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "qfw/error.h"

namespace qfw::lowering {

std::int64_t Space::count() const {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

namespace {

using Value = FusedProgram::Value;
using Load = FusedProgram::Load;
using Reduction = FusedProgram::Reduction;

[[noreturn]] void refuse(const Node& node, const char* what) {
  fail(Error::Category::internal, "lowering", std::string(name_of(node.op)) + " " + what, node.path,
       "report this graph: group_nodes should not have made such a group");
}

class Translator {
 public:
  Translator(const Graph& graph, const Group& group)
      : graph_(graph), group_(group), members_(group.nodes.begin(), group.nodes.end()) {
    for (int i = 0; i < static_cast<int>(group.inputs.size()); ++i) inputs_[key(group.inputs[i])] = i;
  }

  FusedProgram run() {
    program_.in_order = graph_.summation == Summation::in_order;
    find_space();
    add_reductions();
    add_stores();
    merge_axes();
    classify();
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
  int add(Value value) {
    const auto identity =
        std::tuple(value.kind, value.dtype, value.op, value.args, value.load, std::bit_cast<std::uint64_t>(value.number));
    const auto [at, fresh] = known_.try_emplace(identity, static_cast<int>(program_.values.size()));
    if (fresh) program_.values.push_back(value);
    return at->second;
  }

  int number(const Node& node) {
    const DType dtype = node.outputs[0].dtype;
    double value = node.as<Number>().value;
    if (is_float(dtype)) value = rounded(static_cast<float>(value), dtype);
    return add({.kind = Value::Kind::number, .dtype = dtype, .number = value, .fill = Fill::scalar});
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
    const bool strides = resolve_view(
        graph_, use, [&](Use u) { return in_memory(u); }, view);
    if (!strides) refuse(reader, "reads through views without strides");
    return loaded({.input = inputs_.at(key(view.base)),
                   .dtype = graph_.type(view.base).dtype,
                   .strides = strides_in(view.shape, view.strides, wide)});
  }

  int loaded(const Load& load) {
    const auto at = std::ranges::find_if(
        program_.loads, [&](const Load& other) { return other.input == load.input && other.strides == load.strides; });
    const int index = static_cast<int>(at - program_.loads.begin());
    if (at == program_.loads.end()) program_.loads.push_back(load);
    return add({.kind = Value::Kind::load, .dtype = load.dtype, .load = index});
  }

  int computed(int number) {
    if (const auto known = computed_.find(number); known != computed_.end()) return known->second;
    const Node& node = graph_.nodes[number];
    const TensorType& type = node.outputs[0];
    Value value{.kind = Value::Kind::compute, .dtype = type.dtype, .op = node.op};
    if (node.inputs.size() > value.args.size()) refuse(node, "has more operands than an elementwise op");
    for (std::size_t i = 0; i < node.inputs.size(); ++i) value.args[i] = operand(node, node.inputs[i], type.shape);
    return computed_[number] = add(value);
  }

  // ---- results -------------------------------------------------------------------------------------------------------
  int output_of(Use use) const {
    const auto at = std::find(group_.outputs.begin(), group_.outputs.end(), use);
    return at == group_.outputs.end() ? -1 : static_cast<int>(at - group_.outputs.begin());
  }

  void add_reductions() {
    for (const int number : group_.nodes) {
      const Node& node = graph_.nodes[number];
      if (class_of(node.op) != OpClass::reduction) continue;
      using Kind = Reduction::Kind;
      const Shape& from = graph_.type(node.inputs[0]).shape;
      expect_in_space(node, from);
      Reduction reduction{.kind = node.op == Op::sum          ? Kind::sum
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

  void add_stores() {
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
    for (Load& load : program_.loads) load.pattern = pattern_of(load.strides);
    for (Reduction& reduction : program_.reductions) reduction.pattern = result_pattern(reduction.strides);
    for (Value& value : program_.values) {
      if (value.kind == Value::Kind::load) {
        const Pattern pattern = program_.loads[value.load].pattern;
        value.fill = pattern == Pattern::scalar ? Fill::scalar : pattern == Pattern::row ? Fill::row : Fill::full;
      } else if (value.kind == Value::Kind::compute) {
        value.fill = Fill::scalar;
        for (const int arg : value.args) {
          if (arg >= 0) value.fill = std::max(value.fill, program_.values[arg].fill);
        }
      }
    }
  }

  const Graph& graph_;
  const Group& group_;
  std::set<int> members_;
  std::map<std::pair<int, int>, int> inputs_;
  std::map<int, int> computed_;
  std::map<std::tuple<Value::Kind, DType, Op, std::array<int, 3>, int, std::uint64_t>, int> known_;
  FusedProgram program_;
};

}  // namespace

FusedProgram program_of(const Graph& graph, const Group& group) { return Translator(graph, group).run(); }

std::string to_string(const FusedProgram& program) {
  constexpr const char* patterns[] = {"scalar", "row", "dense", "strided"};
  constexpr const char* reductions[] = {"sum", "reduce_max", "reduce_min", "moments"};
  const auto name = [&](Pattern pattern) { return patterns[static_cast<int>(pattern)]; };
  const auto strides = [&](Pattern pattern, const Strides& all) {
    std::string text = name(pattern);
    if (pattern != Pattern::strided) return text;
    for (std::size_t axis = 0; axis < program.space.extents.size(); ++axis) text += fmt::format(" {}", all[axis]);
    return text;
  };
  std::string text = fmt::format("space [{}]\n", fmt::join(program.space.extents, ", "));
  for (std::size_t i = 0; i < program.values.size(); ++i) {
    const Value& value = program.values[i];
    text += fmt::format("v{} = ", i);
    switch (value.kind) {
      case Value::Kind::number:
        text += is_float(value.dtype) ? fmt::format("{}", static_cast<float>(value.number)) : fmt::format("{}", value.number);
        break;
      case Value::Kind::load: {
        const Load& load = program.loads[value.load];
        text += fmt::format("input {} {}", load.input, strides(load.pattern, load.strides));
        break;
      }
      case Value::Kind::compute:
        text += name_of(value.op);
        for (const int arg : value.args) {
          if (arg >= 0) text += fmt::format(" v{}", arg);
        }
        break;
    }
    text += fmt::format(" : {}\n", name_of(value.dtype));
  }
  for (const Reduction& reduction : program.reductions) {
    text += fmt::format("{} v{} of {} {} ->", reductions[static_cast<int>(reduction.kind)], reduction.value, reduction.count,
                        strides(reduction.pattern, reduction.strides));
    if (reduction.output >= 0) text += fmt::format(" output {}", reduction.output);
    if (reduction.second_output >= 0) text += fmt::format(" variance {}", reduction.second_output);
    text += program.in_order ? ", in order\n" : "\n";
  }
  for (const FusedProgram::Store& store : program.stores) {
    text += fmt::format("store v{} -> output {} : {}\n", store.value, store.output, name_of(store.dtype));
  }
  return text;
}

}  // namespace qfw::lowering
