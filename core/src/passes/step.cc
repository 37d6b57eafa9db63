#include "passes/step.h"

#include <fmt/format.h>

#include "graph/builder_access.h"
#include "passes/differentiate.h"
#include "passes/dump.h"
#include "passes/finish.h"
#include "qfw/error.h"

namespace qfw {

namespace {

/// The model's description, recorded; its output is the fetch `logits`.
struct Recorded {
  GraphBuilder g;
  Use logits;

  Recorded(const StepDescription& description, bool training) : g({.training = training}) {
    const Value images = g.input(step_names::images, {description.images, DType::f32});
    const Value output = description.model->build(g, images, description.classes);
    const Shape expected{description.images[0], description.classes};
    if (output.is_number() || output.shape() != expected) {
      fail(Error::Category::graph, "model", "it returns " + output.type().str() + ", logits of shape " + expected.str() + " are expected");
    }
    g.fetch(step_names::logits, output);
    logits = g.graph().fetches.back().use;
    verify(g.graph());
    dump("build", g.graph());
  }
};

Value quantized_logits(const StepDescription& description, GraphBuilder& g) {
  Recorded model(description, g.training());
  const Value logits = quantize(model.g.graph(), g, model.logits, description.quantizer_of, description.quantization);
  verify(g.graph());
  dump("quantize", g.graph());
  return logits.dtype() == DType::f32 ? logits : cast(logits, DType::f32);
}

Value mean_loss(const StepDescription& description, GraphBuilder& g, Value logits) {
  const auto scope = g.scope("loss");
  const Value targets = g.input(step_names::targets, {{description.images[0], description.classes}, DType::f32});
  return mean(softmax_cross_entropy(logits, targets));
}

std::vector<Optimizer::Trainable> trainables(GraphBuilder& g) {
  std::vector<Optimizer::Trainable> all;
  const Graph& graph = g.graph();
  for (int i = 0; i < static_cast<int>(graph.variables.size()); ++i) {
    if (graph.variables[i].kind == Variable::Kind::parameter) all.push_back({BuilderAccess::initial_value(g, i), 0, {}});
  }
  return all;
}

const Variable& variable_of(const GraphBuilder& g, Value value) {
  const Graph& graph = g.graph();
  return graph.variables[graph.nodes[value.node()].as<Slot>().index];
}

bool decays(const Variable& variable) { return variable.training.decay.value_or(variable.type.shape.rank() > 1); }

}  // namespace

Graph model_graph(const StepDescription& description, bool training) { return Recorded(description, training).g.graph(); }

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

Graph diagnosis_graph(const StepDescription& description) {
  GraphBuilder g({.training = true});
  const Value logits = quantized_logits(description, g);
  mean_loss(description, g, logits);
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
