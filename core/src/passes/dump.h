#pragma once

#include "qfw/graph.h"

namespace qfw {

/// Prints a pass's result on stderr if the environment variable QFW_DUMP, words separated by commas, has the word `graph`.
void dump(const char* pass, const Graph& graph);

}  // namespace qfw
