#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "qfw/builder.h"
#include "qfw/op_definition.h"

namespace qfw {

/// What the core's passes may do to a builder beyond its public face.
struct BuilderAccess {
  static Graph& graph(GraphBuilder& g);

  /// A node without inputs: input, variable, constant, tensor, step, random_uniform. Its type is given, not inferred.
  static Value source(GraphBuilder& g, Op op, Attributes attributes, TensorType type, bool replicated = true);
  static Value constant(GraphBuilder& g, double number, DType dtype = DType::f32, const Shape& shape = {});
  static Value tensor(GraphBuilder& g, const ConstantTensor& tensor);
  /// The variable, declared if new, whatever its path; its current value.
  static Value variable(GraphBuilder& g, const Variable& variable);
  /// The value a variable had when the step began, and the one its last assignment so far gave it.
  static Value initial_value(GraphBuilder& g, int variable);
  static Value current_value(GraphBuilder& g, int variable);

  /// Replaces the whole path until the result goes; passes give new nodes the path of the layer they come from.
  static GraphBuilder::Scope at_path(GraphBuilder& g, std::string_view path);
  /// Where an exception that has left scopes behind came from; the current path if it left none.
  static const std::string& failed_path(const GraphBuilder& g);

  /// What differentiation takes for this node instead of its op's rule; null: that rule.
  using Gradient = std::function<std::vector<std::optional<Value>>(const Differentiation&)>;
  static void differentiate_by(GraphBuilder& g, Value value, Gradient rule);
  static const Gradient* gradient_of(const GraphBuilder& g, int node);

  /// Lets `rewrite` replace what each assigned variable gets in the end.
  static void rewrite_updates(GraphBuilder& g, const std::function<Value(int variable, Value old_value, Value next)>& rewrite);
};

}  // namespace qfw
