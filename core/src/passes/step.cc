#include "passes/step.h"

#include <fmt/format.h>

#include "graph/builder_access.h"
#include "passes/differentiate.h"
#include "passes/dump.h"
#include "passes/finish.h"
#include "passes/forward.h"

namespace qfw {

namespace {

bool decays(const Variable& variable) { return variable.training.decay.value_or(variable.type.shape.rank() > 1); }

}  // namespace

Graph training_graph(const StepDescription& description, const Optimizer& optimizer, double weight_decay) {
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
  const auto gradients = differentiate(g, total, parameters);
  dump("differentiate", g.graph());

  std::vector<std::string> names;  // the graph's own strings move as optimizers add state
  for (const Value& parameter : parameters) names.push_back(variable_of(g, parameter).name);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].gradient = all_reduce(gradients[i], Across::mean);
    all[i].name = names[i];
  }
  const Value rate = g.input(step_names::rate, {{}, DType::f32}, true);
  optimizer.update_all(g, all, rate);

  const Value mean_over_replicas = all_reduce(loss, Across::mean);
  const Value finite = is_finite(mean_over_replicas);
  BuilderAccess::rewrite_updates(g, [&](int, Value old_value, Value next) { return select(finite, next, old_value); });
  g.fetch(step_names::loss, mean_over_replicas);
  g.fetch(step_names::logits, logits);
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

Graph diagnosis_graph(const StepDescription& description, bool training) {
  GraphBuilder g({.training = training});
  const Value logits = quantized_logits(description, g);
  if (training) mean_loss(description, g, logits);
  const std::size_t forward = g.graph().nodes.size();
  for (std::size_t number = 0; number < forward; ++number) {
    const Node node = g.graph().nodes[number];
    if (node.op == Op::input && node.as<Slot>().index > 0) continue;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (!is_float(node.outputs[i].dtype)) continue;
      const std::string layer = node.op == Op::variable ? g.graph().variables[node.as<Slot>().index].name : node.path;
      g.fetch(fmt::format("{} ({})", layer.empty() ? "input" : layer, name_of(node.op)),
              sum(1 - is_finite(Value(g, static_cast<int>(number), static_cast<int>(i)))));
    }
  }
  BuilderAccess::graph(g).updates.clear();
  return finish(g.graph(), description.replicas);
}

}  // namespace qfw
