#pragma once

#include "run/session.h"

namespace qfw {

/// Which layer of a step first made a value that is not finite, and how many: "stage1/conv_1 (conv2d), 3 elements"; empty if
/// none did. `exchanges` are those of the step, whose variables must be as they were before it.
std::string origin_of_not_finite(Session& session, const Session::Compiled& compiled, std::int64_t step,
                                 std::span<const Session::Exchange> exchanges);

/// Throws, naming it, if a variable that the graph reads is not finite.
void check_variables(const Session& session, const Graph& graph, std::int64_t completed);

/// Once for each executable: throws if a quantizer's codes are not on its grid, naming layer, operand and quantizer. Goes
/// before the first run with those exchanges.
void check_codes(Session& session, Session::Compiled& compiled, std::int64_t step,
                 std::span<const Session::Exchange> exchanges);

}  // namespace qfw
