#include "qfw/builder.h"

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

#include "graph/builder_access.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw {

struct GraphBuilder::Impl {
  Setting setting;
  Graph graph;
  std::string path, failed_path;  ///< the latter: of the innermost scope that an exception left
  std::vector<bool> varying;      ///< by node: differs between replicas

  struct Declared {
    int node;       ///< Op::variable: the value at the start of the step
    Value current;  ///< after the assignments so far
  };
  std::map<std::string, int, std::less<>> variable_numbers;
  std::vector<Declared> declared;
  std::optional<Value> step;
  std::map<int, BuilderAccess::Gradient> gradients;  ///< by node

  Value append(GraphBuilder& g, Node node, bool node_varies) {
    node.path = path;
    graph.nodes.push_back(std::move(node));
    varying.push_back(node_varies);
    return Value(g, static_cast<int>(graph.nodes.size()) - 1, 0);
  }
  std::string name_below_path(std::string_view name) const {
    return path.empty() ? std::string(name) : path + "/" + std::string(name);
  }
};

namespace {

std::string at(const std::string& path) { return path.empty() ? "at the root scope" : "layer " + path; }

void check_declaration(std::string_view name, const Shape& shape, const std::string& path) {
  if (name.empty() || name.front() == '/' || name.back() == '/') {
    fail(Error::Category::graph, "variable", "a variable's name is \"" + std::string(name) + "\"", at(path),
         "name it without outer slashes");
  }
  if (std::ranges::any_of(shape, [](std::int64_t extent) { return extent < 1; })) {
    fail(Error::Category::graph, "variable", std::string(name) + " would have the shape " + shape.str(), at(path),
         "extents are at least 1");
  }
}

[[noreturn]] void rethrow_with_path(const Error& error, const std::string& path) {
  throw Error(error.category(), std::string(error.what()) + " (" + at(path) + ")");
}

}  // namespace

GraphBuilder::GraphBuilder(Setting setting) : impl_(std::make_unique<Impl>()) {
  impl_->setting = setting;
  impl_->graph.training = setting.training;
  impl_->graph.may_update = setting.may_update;
  impl_->graph.summation = setting.summation;
}
GraphBuilder::~GraphBuilder() = default;

bool GraphBuilder::training() const { return impl_->setting.training; }
const std::string& GraphBuilder::path() const { return impl_->path; }
const Graph& GraphBuilder::graph() const { return impl_->graph; }

GraphBuilder::Scope GraphBuilder::scope(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.back() == '/') {
    fail(Error::Category::graph, "scope", "a scope's name is \"" + std::string(name) + "\"", at(impl_->path),
         "name it without outer slashes");
  }
  const std::size_t before = impl_->path.size();
  impl_->path = impl_->name_below_path(name);
  impl_->failed_path.clear();
  return Scope(*this, impl_->path.substr(0, before));
}

GraphBuilder::Scope::~Scope() {
  Impl& impl = *builder_.impl_;
  if (std::uncaught_exceptions() > 0 && impl.failed_path.empty()) impl.failed_path = std::move(impl.path);
  impl.path = std::move(restore_);
}

Value GraphBuilder::input(std::string_view name, TensorType type, bool replicated) {
  for (const Input& known : impl_->graph.inputs) {
    if (known.name == name)
      fail(Error::Category::graph, "input", "input \"" + std::string(name) + "\" exists already", at(impl_->path));
  }
  const int index = static_cast<int>(impl_->graph.inputs.size());
  impl_->graph.inputs.push_back({std::string(name), type, replicated});
  return BuilderAccess::source(*this, Op::input, Slot{index}, type, replicated);
}

Value GraphBuilder::step() {
  if (!impl_->step) impl_->step = BuilderAccess::source(*this, Op::step, {}, {}, true);
  return *impl_->step;
}

Value GraphBuilder::parameter(std::string_view name, Shape shape, Init init, Training training) {
  check_declaration(name, shape, impl_->path);
  return BuilderAccess::variable(
      *this, {impl_->name_below_path(name), {shape, DType::f32}, init, Variable::Kind::parameter, training});
}

Value GraphBuilder::state(std::string_view name, Shape shape, Init init, Variable::Role role) {
  check_declaration(name, shape, impl_->path);
  return BuilderAccess::variable(*this,
                                 {impl_->name_below_path(name), {shape, DType::f32}, init, Variable::Kind::state, {}, role});
}

Value GraphBuilder::assign(Value variable, Value value) {
  if (!training()) {
    fail(Error::Category::graph, "assign", "a graph for evaluation may not assign", at(impl_->path),
         "ask GraphBuilder::training() first");
  }
  for (const Value& each : {variable, value}) {
    if (!each.is_number() && &each.builder() != this) {
      fail(Error::Category::graph, "assign", "a value of another graph", at(impl_->path), "keep values within one build");
    }
  }
  const Node* node = variable.is_number() ? nullptr : &impl_->graph.nodes[variable.node()];
  if (node == nullptr || (node->op != Op::variable && node->op != Op::assign)) {
    fail(Error::Category::graph, "assign", "the first argument is not a variable", at(impl_->path),
         "assign to what parameter(), state() or assign() returned");
  }
  const int slot = node->as<Slot>().index;
  const Variable& target = impl_->graph.variables[slot];
  if (value.is_number()) value = BuilderAccess::constant(*this, value.number(), target.type.dtype, target.type.shape);
  if (value.type() != target.type) {
    fail(Error::Category::graph, "assign", target.name + " is " + target.type.str() + ", the value is " + value.type().str(),
         at(impl_->path));
  }
  if (impl_->varying[value.node()]) {
    fail(Error::Category::graph, "assign", "the new value of " + target.name + " would differ between replicas",
         at(impl_->path), "pass statistics of the batch through all_reduce()");
  }
  Node assignment{.op = Op::assign,
                  .inputs = {{value.node(), value.output()}},
                  .attributes = Slot{slot},
                  .outputs = {target.type},
                  .path = {}};
  const Value result = impl_->append(*this, std::move(assignment), false);
  impl_->declared[slot].current = result;
  if (!impl_->setting.may_update) return result;
  for (auto& [index, use] : impl_->graph.updates) {
    if (index == slot) {
      use = {result.node(), 0};
      return result;
    }
  }
  impl_->graph.updates.push_back({slot, {result.node(), 0}});
  return result;
}

void GraphBuilder::fetch(std::string_view name, Value value) {
  if (value.is_number()) value = BuilderAccess::constant(*this, value.number());
  impl_->graph.fetches.push_back({std::string(name), {value.node(), value.output()}});
}

Value GraphBuilder::add(Op op, std::span<const Value> inputs, Attributes attributes) {
  const OpDefinition& rules = definition(op);
  if (rules.infer == nullptr) {
    fail(Error::Category::graph, rules.name, "is made by the builder's own functions, not by add()", at(impl_->path));
  }
  DType number_type = DType::f32;  // numbers take the dtype of the floats they meet
  for (const Value& input : inputs) {
    if (input.is_number()) continue;
    if (&input.builder() != this) {
      fail(Error::Category::graph, rules.name, "an operand belongs to another graph", at(impl_->path),
           "keep values within one build");
    }
    if (is_float(input.dtype())) {
      number_type = input.dtype();
      break;
    }
  }
  Node node{.op = op, .inputs = {}, .attributes = std::move(attributes), .outputs = {}, .path = {}};
  std::vector<TensorType> types;
  bool varies = false;
  for (const Value& input : inputs) {
    const Value tensor = input.is_number() ? BuilderAccess::constant(*this, input.number(), number_type) : input;
    node.inputs.push_back({tensor.node(), tensor.output()});
    types.push_back(tensor.type());
    varies = varies || impl_->varying[tensor.node()];
  }
  try {
    node.outputs = rules.infer(types, node.attributes);
  } catch (const Error& error) {
    rethrow_with_path(error, impl_->path);
  }
  return impl_->append(*this, std::move(node), varies && op != Op::all_reduce);
}

Graph& BuilderAccess::graph(GraphBuilder& g) { return g.impl_->graph; }

Value BuilderAccess::source(GraphBuilder& g, Op op, Attributes attributes, TensorType type, bool replicated) {
  return g.impl_->append(g, {.op = op, .inputs = {}, .attributes = std::move(attributes), .outputs = {type}, .path = {}},
                         !replicated);
}

Value BuilderAccess::constant(GraphBuilder& g, double number, DType dtype, const Shape& shape) {
  return source(g, Op::constant, Number{number}, {shape, dtype});
}

Value BuilderAccess::tensor(GraphBuilder& g, const ConstantTensor& tensor) {
  std::vector<ConstantTensor>& tensors = g.impl_->graph.tensors;
  tensors.push_back(tensor);
  return source(g, Op::tensor, Slot{static_cast<int>(tensors.size()) - 1}, tensor.type);
}

Value BuilderAccess::variable(GraphBuilder& g, const Variable& variable) {
  GraphBuilder::Impl& impl = *g.impl_;
  if (const auto known = impl.variable_numbers.find(variable.name); known != impl.variable_numbers.end()) {
    const Variable& first = impl.graph.variables[known->second];
    if (first.type != variable.type || first.kind != variable.kind) {
      fail(Error::Category::graph, "variable",
           variable.name + " was declared as " + first.type.str() + ", now as " + variable.type.str(), at(impl.path),
           "declare it with one shape and one kind, or under two names");
    }
    if (first.role != variable.role) {
      fail(Error::Category::graph, "variable", variable.name + " was declared for another role before", at(impl.path),
           "declare it with one role, or under two names");
    }
    return impl.declared[known->second].current;
  }
  const int number = static_cast<int>(impl.graph.variables.size());
  impl.graph.variables.push_back(variable);
  const Value value = source(g, Op::variable, Slot{number}, variable.type);
  impl.variable_numbers.emplace(variable.name, number);
  impl.declared.push_back({value.node(), value});
  return value;
}

Value BuilderAccess::initial_value(GraphBuilder& g, int variable) { return Value(g, g.impl_->declared[variable].node, 0); }
Value BuilderAccess::current_value(GraphBuilder& g, int variable) { return g.impl_->declared[variable].current; }

const std::string& BuilderAccess::failed_path(const GraphBuilder& g) {
  return g.impl_->failed_path.empty() ? g.impl_->path : g.impl_->failed_path;
}

GraphBuilder::Scope BuilderAccess::at_path(GraphBuilder& g, std::string_view path) {
  return GraphBuilder::Scope(g, std::exchange(g.impl_->path, std::string(path)));
}

void BuilderAccess::differentiate_by(GraphBuilder& g, Value value, Gradient rule) {
  g.impl_->gradients[value.node()] = std::move(rule);
}

const BuilderAccess::Gradient* BuilderAccess::gradient_of(const GraphBuilder& g, int node) {
  const auto known = g.impl_->gradients.find(node);
  return known == g.impl_->gradients.end() ? nullptr : &known->second;
}

void BuilderAccess::rewrite_updates(GraphBuilder& g, const std::function<Value(int, Value, Value)>& rewrite) {
  for (std::size_t i = 0; i < g.impl_->graph.updates.size(); ++i) {
    const auto [variable, use] = g.impl_->graph.updates[i];
    const Value next = rewrite(variable, initial_value(g, variable), Value(g, use.node, use.output));
    g.impl_->graph.updates[i].second = {next.node(), next.output()};
  }
}

TensorType Value::type() const {
  if (is_number()) return {};
  return builder_->graph().nodes[node_].outputs[output_];
}

GraphBuilder& Value::builder() const {
  if (is_number())
    fail(Error::Category::graph, "value", "a plain number belongs to no graph", {}, "combine it with a tensor first");
  return *builder_;
}

}  // namespace qfw
