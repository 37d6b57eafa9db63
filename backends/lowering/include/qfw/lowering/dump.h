#pragma once

#include <string>
#include <string_view>

#include "qfw/lowering/steps.h"

namespace qfw::lowering {

/// Whether the environment variable QFW_DUMP, words separated by commas, has the word.
bool is_dumped(std::string_view word);

/// Every group of a list with its operands and its program: what QFW_DUMP=groups shows, whatever the backend.
std::string groups_text(const Graph& graph, const StepList& list);

}  // namespace qfw::lowering
