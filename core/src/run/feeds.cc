#include "run/feeds.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "passes/step.h"
#include "qfw/error.h"

namespace qfw {

namespace {

[[noreturn]] void refuse(const Input& input, std::span<const std::string_view> known) {
  fail(Error::Category::graph, "input",
       fmt::format("the graph has the input '{}' {}, which no one feeds; this step has {}", input.name, input.type.str(),
                   fmt::join(known, ", ")),
       {}, "a model or quantizer makes what it needs besides from variables, constants, step() or random_uniform()");
}

}  // namespace

std::vector<HostView> feeds_of(const Graph& graph, std::initializer_list<NamedValues> known) {
  std::vector<HostView> feeds;
  for (const Input& input : graph.inputs) {
    const auto found = std::ranges::find(known, input.name, &NamedValues::first);
    if (found == known.end()) {
      std::vector<std::string_view> names;
      for (const NamedValues& each : known) names.push_back(each.first);
      refuse(input, names);
    }
    feeds.emplace_back(input.type, std::as_bytes(found->second));
  }
  return feeds;
}

std::vector<HostView> upcoming_feeds(const Graph& graph, const Pipeline& pipeline) {
  std::vector<HostView> feeds;
  const auto images = pipeline.upcoming();
  if (!images) return feeds;
  for (const Input& input : graph.inputs) {
    feeds.emplace_back(input.type, input.name == step_names::images ? std::as_bytes(*images) : std::span<const std::byte>());
  }
  return feeds;
}

void check_inputs(const Graph& graph) {
  constexpr std::string_view known[] = {step_names::images, step_names::targets, step_names::rate};
  for (const Input& input : graph.inputs) {
    if (std::ranges::find(known, input.name) == std::end(known)) refuse(input, known);
  }
}

}  // namespace qfw
