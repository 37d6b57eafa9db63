#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "qfw/graph.h"
#include "qfw/value.h"

namespace qfw {

/// Records a computation. One builder makes one graph for one phase; descriptions run again for every phase, and variables
/// of the same path are the same variable. Not thread-safe. Errors name the path at which they happened.
class QFW_API GraphBuilder {
 public:
  struct Setting {
    bool training = true;
  };
  explicit GraphBuilder(Setting setting);
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;
  ~GraphBuilder();

  /// False when the graph is for evaluation or export; assignments are then errors.
  bool training() const;

  /// Everything added while the result lives is named below `name`: `auto scope = g.scope("conv1");`
  class [[nodiscard]] Scope {
   public:
    Scope(GraphBuilder& builder, std::string restore) : builder_(builder), restore_(std::move(restore)) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope();

   private:
    GraphBuilder& builder_;
    std::string restore_;  ///< the path to go back to
  };
  Scope scope(std::string_view name);
  const std::string& path() const;

  /// Differs between replicas unless `replicated`, as the learning rate is.
  Value input(std::string_view name, TensorType type, bool replicated = false);
  /// The number of completed steps, a scalar (f32) that becomes part of the step's feeds.
  Value step();

  /// The current value of the variable at path()/name, f32, declared on first use; declared twice it must agree with itself.
  Value parameter(std::string_view name, Shape shape, Init init, Training training = {});
  Value state(std::string_view name, Shape shape, Init init = Init::zeros(), Variable::Role role = Variable::Role::other);

  /// Gives a variable its next value. What is returned, and what later calls of parameter() or state() return, is the new
  /// value, so order is dataflow; the last assignment of a step is the one stored. Gradients reaching it are the variable's.
  /// Optimizer and weight decay start from a parameter's last value: a learned step can be set from the first batch.
  /// An error in an evaluation graph, and for a value that would differ between replicas (see all_reduce).
  Value assign(Value variable, Value value);

  void fetch(std::string_view name, Value value);

  /// What is under every function of ops.h and nn.h: checks and infers types. Sources are made by the functions above.
  /// Returns the first output; the others follow it as Value(builder, node, 1) ...
  Value add(Op op, std::span<const Value> inputs, Attributes attributes = {});
  Value add(Op op, std::initializer_list<Value> inputs, Attributes attributes = {}) {
    return add(op, std::span(inputs.begin(), inputs.size()), std::move(attributes));
  }

  const Graph& graph() const;

 private:
  friend struct BuilderAccess;  // the core's passes
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfw
