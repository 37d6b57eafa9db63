#include "graph/builder_access.h"
#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/random.h"

/// f32 in [0, 1): element i of a step is random_uniform_element(seed, step, stream, i), on every backend and replica. The
/// stream comes from path and name, never from the order of calls.
namespace qfw::ops {

OpDefinition random_uniform_definition() {
  return {.op = Op::random_uniform,
          .name = "random_uniform",
          .op_class = OpClass::source,
          .doc = "uniform in [0, 1)",
          .no_gradient = true,
          .bounds = [](const Node&, std::span<const Bounds>, int) {
            return Bounds{0, 1};
          }};
}

}  // namespace qfw::ops

namespace qfw {

Value random_uniform(GraphBuilder& g, std::string_view name, Shape shape) {
  if (name.empty())
    ops::refuse(Op::random_uniform, "the stream has no name (layer " + g.path() + ")", "name every random stream");
  const std::string full = g.path().empty() ? std::string(name) : g.path() + "/" + std::string(name);
  return BuilderAccess::source(g, Op::random_uniform, Stream{hash_of(full)}, {shape, DType::f32}, true);
}

}  // namespace qfw
