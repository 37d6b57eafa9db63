#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "passes/step.h"

namespace qfw {

/// The layers of a description's evaluation as their quantizers are asked about them, in the order of the computation.
std::vector<MatmulSite> matmul_sites(const StepDescription& description);

/// An evaluation's forward pass in floats, whatever the quantizers say, that fetches what layers take in: f32, rounded to the
/// compute type.
struct SiteInputs {
  Graph graph;
  std::map<std::string, std::size_t, std::less<>> fetch_of;  ///< by path of the layer; layers with one input share a fetch
};
SiteInputs site_inputs(const StepDescription& description, const std::set<std::string, std::less<>>& paths);

}  // namespace qfw
