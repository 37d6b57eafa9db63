#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "data/pipeline.h"
#include "qfw/backend.h"

namespace qfw {

/// Values by the name of the input that they are for.
using NamedValues = std::pair<std::string_view, std::span<const float>>;

/// What `graph` is fed, in the order of its inputs; `known` may hold more than it asks for. Throws Error::Category::graph for
/// an input that is not among them. The values are read when the step runs.
std::vector<HostView> feeds_of(const Graph& graph, std::initializer_list<NamedValues> known);

/// What is known of the feeds of the step that takes the next batch, for Executable::prefetch; empty: nothing.
std::vector<HostView> upcoming_feeds(const Graph& graph, const Pipeline& pipeline);

/// Throws likewise for an input that no step of any kind is fed, so that a run that would come upon one later ends before it
/// begins.
void check_inputs(const Graph& graph);

}  // namespace qfw
