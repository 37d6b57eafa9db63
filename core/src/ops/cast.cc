#include <cmath>
#include <limits>

#include "ops/access.h"
#include "ops/bounds.h"
#include "ops/support.h"
#include "ops/table.h"
#include "qfw/builder.h"

/// x as another dtype. Floats round to nearest even. To integers x must be whole and in range; this kernel checks, others may
/// rely on it. Between floats the gradient passes unrounded; there is none to or from integers.
namespace qfw::ops {
namespace {

Types infer(Inputs inputs, const Attributes& attributes) {
  expect_operands(Op::cast, inputs, 1);
  return {{inputs[0].shape, attribute<DType>(Op::cast, attributes)}};
}

template <class Integer, class Read>
void to_integers(const HostTensor& to, Read read) {
  const auto out = to.as<Integer>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double value = read(static_cast<std::int64_t>(i));
    if (!(value >= std::numeric_limits<Integer>::min() && value <= std::numeric_limits<Integer>::max()) ||
        value != std::floor(value)) {
      refuse(Op::cast,
             "element " + std::to_string(i) + " is " + std::to_string(value) + ", not a whole number in the range of " +
                 name_of(to.type.dtype),
             "round and clip before casting");
    }
    out[i] = static_cast<Integer>(value);
  }
}

template <class Read>
void convert(const HostTensor& to, Read read) {
  switch (to.type.dtype) {
    case DType::f32:
    case DType::bf16:
    case DType::f16:
      return fill(to, read);
    case DType::s32:
      return to_integers<std::int32_t>(to, read);
    case DType::s8:
      return to_integers<std::int8_t>(to, read);
    case DType::u8:
      return to_integers<std::uint8_t>(to, read);
  }
}

template <class T>
void convert_integers(const HostView& from, const HostTensor& to) {
  const auto x = from.as<T>();
  convert(to, [&](std::int64_t i) { return static_cast<double>(x[i]); });
}

void evaluate(const Evaluation& e) {
  const HostView& from = e.inputs[0];
  switch (from.type.dtype) {
    case DType::f32:
    case DType::bf16:
    case DType::f16: {
      const Floats x(from);
      return convert(e.outputs[0], [&](std::int64_t i) { return x[i]; });
    }
    case DType::s32:
      return convert_integers<std::int32_t>(from, e.outputs[0]);
    case DType::s8:
      return convert_integers<std::int8_t>(from, e.outputs[0]);
    case DType::u8:
      return convert_integers<std::uint8_t>(from, e.outputs[0]);
  }
}

Gradients gradient(const Differentiation& d) {
  if (!is_float(d.inputs[0].dtype()) || !is_float(d.outputs[0].dtype())) return {std::nullopt};
  return {d.gradients[0]};
}

}  // namespace

OpDefinition cast_definition() {
  return {.op = Op::cast,
          .name = "cast",
          .op_class = OpClass::elementwise,
          .doc = "another dtype; to integers only whole values in range",
          .infer = infer,
          .gradient = gradient,
          .bounds = bounds_of_first,
          .evaluate = evaluate};
}

}  // namespace qfw::ops

namespace qfw {

// A plain number has no dtype yet: it takes that of the tensor it meets.
Value cast(Value x, DType to) { return x.is_number() || x.dtype() == to ? x : x.builder().add(Op::cast, {x}, to); }

}  // namespace qfw
