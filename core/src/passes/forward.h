#pragma once

#include "passes/step.h"

namespace qfw {

/// The model of a description in `g`, quantized as it says: f32 logits.
Value quantized_logits(const StepDescription& description, GraphBuilder& g);

/// Mean cross entropy of logits against the input `targets`, which it adds.
Value mean_loss(const StepDescription& description, GraphBuilder& g, Value logits);

/// The parameters of a graph as they are after its assignments so far; gradients and names are left open.
std::vector<Optimizer::Trainable> trainables(GraphBuilder& g);

const Variable& variable_of(const GraphBuilder& g, Value value);

}  // namespace qfw
