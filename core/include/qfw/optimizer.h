#pragma once

#include <span>
#include <string_view>

#include "qfw/builder.h"

namespace qfw {

/// Turns gradients into assignments. Slots (momentum and the like) are state declared in the scope the core has entered,
/// optimizer/<parameter name>. Gradients are already averaged over replicas and include weight decay.
class QFW_API Optimizer {
 public:
  struct Trainable {
    Value parameter, gradient;
    std::string_view name;  ///< the variable's
  };

  using Interface = Optimizer;
  static constexpr const char* kind = "optimizer";  ///< its word in recipes

  Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// `rate` is a scalar value, fed at each step. Parameter and gradient are f32.
  virtual void update(GraphBuilder& g, Value parameter, Value gradient, Value rate) const = 0;

  /// All parameters at once, for rules that look across them (clipping by global norm). The default updates each on its own,
  /// in the scope optimizer/<name>; one that overrides this enters scopes itself.
  virtual void update_all(GraphBuilder& g, std::span<const Trainable> all, Value rate) const;
};

}  // namespace qfw
