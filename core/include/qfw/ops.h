#pragma once

#include <array>
#include <string_view>

#include "qfw/value.h"

/// The general ops. Each function adds one node (the inline ones a few); its contract stands here and nowhere else. The ops of
/// networks proper are in nn.h.
namespace qfw {

// ---- elementwise -----------------------------------------------------------------------------------------------------
// Of floats only; operands of several dtypes meet in f32, and each op rounds once to the dtype of its result.
/// What minimum, maximum and clip do with the gradient where their arguments are equal.
enum class Ties : std::uint8_t { half, pass, block };

QFW_API Value minimum(Value a, Value b, Ties ties = Ties::half);
QFW_API Value maximum(Value a, Value b, Ties ties = Ties::half);
/// minimum(maximum(x, low), high). The limits may be values: where they bind, the gradient is theirs.
QFW_API Value clip(Value x, Value low, Value high, Ties ties = Ties::half);
QFW_API Value relu(Value x);  ///< gradient 0 at 0
QFW_API Value abs(Value x);   ///< gradient 0 at 0
QFW_API Value exp(Value x);
QFW_API Value log(Value x);
QFW_API Value sqrt(Value x);
QFW_API Value tanh(Value x);
QFW_API Value floor(Value x);       ///< gradient 0; see floor_ste
QFW_API Value round_even(Value x);  ///< halves to the even neighbour; gradient 0. Half up is floor(x + 0.5).
QFW_API Value is_finite(Value x);   ///< 1 or 0
QFW_API Value select(Value condition, Value if_true, Value if_false);  ///< condition != 0; no gradient to the condition
/// To integers: x must be whole and in range. No gradient to or from integers; between floats the gradient passes unrounded.
QFW_API Value cast(Value x, DType to);

// ---- gradient control ------------------------------------------------------------------------------------------------
/// Forward `value`, backward the whole gradient to `surrogate` (same shape): every straight-through rule is made of this.
QFW_API Value straight_through(Value value, Value surrogate);
inline Value floor_ste(Value x) { return straight_through(floor(x), x); }
inline Value round_even_ste(Value x) { return straight_through(round_even(x), x); }
/// x with its gradient multiplied by `factor`.
inline Value scale_gradient(Value x, Value factor) { return straight_through(x, x * factor); }
QFW_API Value stop_gradient(Value x);

// ---- shape and reductions --------------------------------------------------------------------------------------------
QFW_API Value reshape(Value x, Shape to);
QFW_API Value transpose(Value x, std::array<int, 2> axes);  ///< swaps two axes
QFW_API Value broadcast_to(Value x, Shape to);

/// What remains after a reduction: one number, or one per channel (shape [C], which broadcasts against NHWC and HWIO). Sums of
/// floats are f32 whatever x is; backends may order them as they like but the same way every time.
enum class Keep : std::uint8_t { nothing, channel };
QFW_API Value sum(Value x, Keep keep = Keep::nothing);
QFW_API Value sum_to(Value x, Shape to);  ///< the sum whose result has shape `to`, which must broadcast to x's
QFW_API Value mean(Value x, Keep keep = Keep::nothing);
QFW_API Value reduce_max(Value x, Keep keep = Keep::nothing);  ///< ties share the gradient evenly
QFW_API Value reduce_min(Value x, Keep keep = Keep::nothing);
QFW_API Value mean_over_space(Value x);  ///< [N, H, W, C] -> [N, C], f32

// ---- randomness and replicas --------------------------------------------------------------------------------------------
/// Uniform in [0, 1): a pure function of (run seed, step, path and name, element index), equal on all replicas.
QFW_API Value random_uniform(GraphBuilder& g, std::string_view name, Shape shape);

enum class Across : std::uint8_t { sum, mean };
/// Over all replicas; x itself when there is one. What is assigned to state must be equal on all replicas: the builder
/// checks it, so a statistic of the batch has to pass through here.
QFW_API Value all_reduce(Value x, Across how);

}  // namespace qfw
