#include "passes/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "graph/builder_access.h"
#include "passes/differentiate.h"
#include "passes/dump.h"
#include "passes/finish.h"
#include "passes/forward.h"

namespace qfw {

namespace {

bool decays(const Variable& variable) { return variable.training.decay.value_or(variable.type.shape.rank() > 1); }

}  // namespace

Graph training_graph(const StepDescription& description, const Optimizer& optimizer, double weight_decay, LossScaling scaling) {
  GraphBuilder g({.training = true});
  const Value logits = quantized_logits(description, g);
  const Value loss = mean_loss(description, g, logits);

  auto all = trainables(g);
  Value total = loss;
  if (weight_decay > 0) {
    const auto scope = g.scope("loss");
    for (const auto& trainable : all) {
      if (decays(variable_of(g, trainable.parameter))) {
        total = total + 0.5 * weight_decay * sum(trainable.parameter * trainable.parameter);
      }
    }
  }
  std::vector<Value> parameters;
  for (const auto& trainable : all) parameters.push_back(trainable.parameter);
  const LossScale scale(g, scaling);
  const auto gradients = differentiate(g, scale.scaled(total), parameters);
  dump("differentiate", g.graph());

  std::vector<std::string> names;  // the graph's own strings move as optimizers add state
  for (const Value& parameter : parameters) names.push_back(variable_of(g, parameter).name);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].gradient = scale.unscaled(all_reduce(gradients[i], Across::mean));
    all[i].name = names[i];
  }
  const std::optional<Value> finite_gradients = scale.all_finite(all);
  const Value rate = g.input(step_names::rate, {{}, DType::f32}, true);
  optimizer.update_all(g, all, rate);

  const Value mean_over_replicas = all_reduce(loss, Across::mean);
  const Value alive = is_finite(mean_over_replicas);
  const Value counts = finite_gradients ? alive * *finite_gradients : alive;
  BuilderAccess::rewrite_updates(g, [&](int, Value old_value, Value next) { return select(counts, next, old_value); });
  g.fetch(step_names::loss, mean_over_replicas);
  g.fetch(step_names::logits, logits);
  if (finite_gradients) scale.adapt(*finite_gradients, alive);
  dump("update", g.graph());
  Graph graph = finish(g.graph(), description.replicas);
  dump("finish", graph);
  return graph;
}

Graph evaluation_graph(const StepDescription& description) {
  GraphBuilder g({.training = false});
  g.fetch(step_names::logits, quantized_logits(description, g));
  Graph graph = finish(g.graph(), description.replicas);
  dump("finish", graph);
  return graph;
}

namespace {

/// Which nodes the value of node `last` is made from: statistics beside it may hold what they like.
std::vector<bool> leads_to(const Graph& graph, int last) {
  std::vector<bool> marked(graph.nodes.size(), false);
  marked[static_cast<std::size_t>(last)] = true;
  for (std::size_t number = static_cast<std::size_t>(last) + 1; number-- > 0;) {
    if (!marked[number]) continue;
    for (const Use use : graph.nodes[number].inputs) marked[static_cast<std::size_t>(use.node)] = true;
  }
  return marked;
}

/// Constants, and what takes an infinite one on purpose, as the least of a selection does.
bool is_meant_to_be_infinite(const Graph& graph, const Node& node) {
  return node.op == Op::constant || std::ranges::any_of(node.inputs, [&](Use use) {
           const Node& input = graph.nodes[static_cast<std::size_t>(use.node)];
           return input.op == Op::constant && !std::isfinite(input.as<Number>().value);
         });
}

}  // namespace

Graph diagnosis_graph(const StepDescription& description, bool training) {
  GraphBuilder g({.training = training, .may_update = false});
  const Value logits = quantized_logits(description, g);
  const Value last = training ? mean_loss(description, g, logits) : logits;
  const std::vector<bool> matters = leads_to(g.graph(), last.node());
  for (std::size_t number = 0; number < matters.size(); ++number) {
    const Node node = g.graph().nodes[number];
    if (!matters[number] || is_meant_to_be_infinite(g.graph(), node)) continue;
    if (node.op == Op::input && node.as<Slot>().index > 0) continue;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (!is_float(node.outputs[i].dtype)) continue;
      const std::string layer = node.op == Op::variable ? g.graph().variables[node.as<Slot>().index].name : node.path;
      g.fetch(fmt::format("{} ({})", layer.empty() ? "input" : layer, name_of(node.op)),
              sum(1 - is_finite(Value(g, static_cast<int>(number), static_cast<int>(i)))));
    }
  }
  return finish(g.graph(), description.replicas);
}

}  // namespace qfw
