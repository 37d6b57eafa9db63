#include "passes/forward.h"

#include <fmt/format.h>

#include "graph/builder_access.h"
#include "passes/dump.h"
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
    if (!output.is_number() && &output.builder() != &g) {
      fail(Error::Category::graph, "model", fmt::format("model {} returns a value of another graph", description.model_name));
    }
    const Shape expected{description.images[0], description.classes};
    if (output.is_number() || output.shape() != expected) {
      fail(Error::Category::graph, "model",
           fmt::format("model {} returns {}, logits of shape {} are expected", description.model_name,
                       output.is_number() ? "a plain number" : output.type().str(), expected.str()));
    }
    g.fetch(step_names::logits, output);
    logits = g.graph().fetches.back().use;
    verify(g.graph());
    dump("build", g.graph());
  }
};

}  // namespace

Graph model_graph(const StepDescription& description, bool training) { return Recorded(description, training).g.graph(); }

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
    if (graph.variables[i].kind == Variable::Kind::parameter) all.push_back({BuilderAccess::current_value(g, i), 0, {}});
  }
  return all;
}

const Variable& variable_of(const GraphBuilder& g, Value value) {
  const Graph& graph = g.graph();
  return graph.variables[graph.nodes[value.node()].as<Slot>().index];
}

}  // namespace qfw
