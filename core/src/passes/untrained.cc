#include "passes/untrained.h"

#include "passes/differentiate.h"
#include "passes/forward.h"

namespace qfw {

std::vector<std::string> parameters_without_gradient(const StepDescription& description) {
  GraphBuilder g({.training = true});
  const Value loss = mean_loss(description, g, quantized_logits(description, g));
  std::vector<Value> parameters;
  for (const auto& trainable : trainables(g)) parameters.push_back(trainable.parameter);
  const std::vector<Value> gradients = differentiate(g, loss, parameters);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (g.graph().nodes[gradients[i].node()].op == Op::constant) names.push_back(variable_of(g, parameters[i]).name);
  }
  return names;
}

}  // namespace qfw
