#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "qfw/backend.h"
#include "qfw/graph.h"

namespace qfw::test {

/// Runs a compiled graph once; `feeds` in the order of its inputs. The bytes of each fetch: 0xee where nothing was written.
inline std::vector<std::vector<std::byte>> execute(Executable& executable, const Graph& graph, std::span<const HostView> feeds,
                                                   Executable::Step step = {}) {
  std::vector<std::vector<std::byte>> results;
  for (const Fetch& fetch : graph.fetches) results.emplace_back(graph.type(fetch.use).bytes(), std::byte{0xee});
  std::vector<HostTensor> places;
  for (std::size_t i = 0; i < results.size(); ++i) places.push_back({graph.type(graph.fetches[i].use), results[i]});
  executable.run(step, feeds, places);
  return results;
}

}  // namespace qfw::test
