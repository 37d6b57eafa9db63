#pragma once

#include "run/session.h"

namespace qfw {

/// Which layer of a step first made a value that is not finite, and how many: "stage1/conv_1 (conv2d), 3 elements"; empty if
/// none did. `exchanges` are those of the step, whose graph is given; its variables must be as they were before it.
std::string origin_of_not_finite(Session& session, const Graph& graph, std::int64_t step,
                                 std::span<const Session::Exchange> exchanges);

/// Throws, naming it, if a variable that the graph reads, or one of these, is not finite.
void check_variables(const Session& session, const Graph& graph, std::int64_t completed);
void check_variables(const Session& session, std::span<const Variable> variables, std::int64_t completed);

/// Unless `checked`, which it sets: throws if a quantizer's codes are not on its grid in a step, naming layer, operand and
/// quantizer. Goes before the first run with those exchanges.
void check_codes(Session& session, const Graph& graph, bool& checked, std::int64_t step,
                 std::span<const Session::Exchange> exchanges);

}  // namespace qfw
