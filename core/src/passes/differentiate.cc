#include "passes/differentiate.h"

#include <optional>

#include "graph/builder_access.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw {

namespace {

class ReverseMode {
 public:
  ReverseMode(GraphBuilder& g, Value loss, std::span<const Value> with_respect_to) : g_(g), last_(loss.node()) {
    find_dependent(with_respect_to);
    gradients_.resize(last_ + 1);
    for (int node = 0; node <= last_; ++node) gradients_[node].resize(g.graph().nodes[node].outputs.size());
    gradients_[loss.node()][loss.output()] = BuilderAccess::constant(g, 1);
  }

  void run() {
    for (int number = last_; number >= 0; --number) {
      if (!dependent_[number]) continue;
      const Node node = g_.graph().nodes[number];  // a copy: the rules add nodes
      const auto& gradients = gradients_[number];
      const OpDefinition& rules = definition(node.op);
      if (rules.no_gradient || std::ranges::none_of(gradients, [](const auto& g) { return g.has_value(); })) continue;
      if (rules.gradient == nullptr) {
        fail(Error::Category::graph, "differentiate", std::string(rules.name) + " has no gradient rule",
             node.path.empty() ? "at the root scope" : "layer " + node.path,
             "use stop_gradient() before it, or give the op a rule in its definition");
      }

      const auto scope = BuilderAccess::at_path(g_, node.path);
      std::vector<Value> inputs, outputs;
      for (const Use use : node.inputs) inputs.emplace_back(g_, use.node, use.output);
      for (std::size_t i = 0; i < node.outputs.size(); ++i) outputs.emplace_back(g_, number, static_cast<int>(i));
      const Differentiation differentiation{g_, node, inputs, outputs, gradients};
      const BuilderAccess::Gradient* own = BuilderAccess::gradient_of(g_, number);
      const auto received = own != nullptr ? (*own)(differentiation) : rules.gradient(differentiation);
      for (std::size_t i = 0; i < received.size(); ++i) {
        if (received[i] && dependent_[node.inputs[i].node]) accumulate(node.inputs[i], *received[i]);
      }
    }
  }

  /// What reached a variable, at its start-of-step value and at its assignments.
  Value of_variable(Value parameter) const {
    const Graph& graph = g_.graph();
    const int slot = graph.nodes[parameter.node()].as<Slot>().index;
    std::optional<Value> total;
    for (int number = 0; number <= last_; ++number) {
      const Node& node = graph.nodes[number];
      const bool is_it = (node.op == Op::variable || node.op == Op::assign) && node.as<Slot>().index == slot;
      if (is_it && gradients_[number][0]) total = total ? *total + *gradients_[number][0] : *gradients_[number][0];
    }
    const Shape shape = parameter.shape();
    if (!total) return BuilderAccess::constant(g_, 0, DType::f32, shape);
    return total->dtype() == DType::f32 ? *total : cast(*total, DType::f32);
  }

 private:
  void find_dependent(std::span<const Value> with_respect_to) {
    const Graph& graph = g_.graph();
    std::vector<bool> wanted(graph.variables.size());
    for (const Value& parameter : with_respect_to) {
      const Node& node = graph.nodes[parameter.node()];
      if (node.op != Op::variable && node.op != Op::assign) {
        fail(Error::Category::internal, "differentiate", "only variables can be differentiated for");
      }
      wanted[node.as<Slot>().index] = true;
    }
    dependent_.resize(last_ + 1);
    for (int number = 0; number <= last_; ++number) {
      const Node& node = graph.nodes[number];
      if (node.op == Op::variable || node.op == Op::assign) {
        dependent_[number] = wanted[node.as<Slot>().index];
      } else {
        dependent_[number] = std::ranges::any_of(node.inputs, [&](Use use) { return dependent_[use.node]; });
      }
    }
  }

  void accumulate(Use use, Value gradient) {
    const Node& producer = g_.graph().nodes[use.node];
    const TensorType type = producer.outputs[use.output];
    // A value cast from a wider float passes its gradient on unrounded; every other gradient has its value's dtype.
    const bool rounds = producer.op != Op::cast;
    if (gradient.shape() != type.shape) gradient = reshape_to(gradient, type.shape);
    if (rounds && is_float(type.dtype) && gradient.dtype() != type.dtype) gradient = cast(gradient, type.dtype);
    std::optional<Value>& total = gradients_[use.node][use.output];
    if (!total) {
      total = gradient;
      return;
    }
    total = *total + gradient;
  }

  static Value reshape_to(Value gradient, const Shape& shape) {
    const Shape met = broadcast(gradient.shape(), shape);
    if (gradient.shape() != met) gradient = broadcast_to(gradient, met);
    return met == shape ? gradient : sum_to(gradient, shape);
  }

  GraphBuilder& g_;
  int last_;
  std::vector<bool> dependent_;  ///< by node: on a parameter asked for
  std::vector<std::vector<std::optional<Value>>> gradients_;
};

}  // namespace

std::vector<Value> differentiate(GraphBuilder& g, Value loss, std::span<const Value> with_respect_to) {
  if (loss.shape().rank() != 0) {
    fail(Error::Category::graph, "differentiate", "the loss has shape " + loss.shape().str(), {}, "reduce it to a scalar");
  }
  ReverseMode pass(g, loss, with_respect_to);
  pass.run();
  std::vector<Value> gradients;
  for (const Value& parameter : with_respect_to) gradients.push_back(pass.of_variable(parameter));
  return gradients;
}

}  // namespace qfw
