#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "passes/step.h"
#include "qfw/calibrator.h"

namespace qfw {

/// Asks quantizers what they make of layers' inputs: how their bounds become scales, and how their codes are rounded. A graph
/// of an evaluation without inputs, with a scale and the codes of a ramp for each layer.
class SiteLevels {
 public:
  /// Of the layers in `paths` that quantize() gives a grid for their input under the phases of `description`.
  SiteLevels(const StepDescription& description, const std::vector<MatmulSite>& sites,
             const std::set<std::string, std::less<>>& paths);

  const Graph& graph() const { return graph_; }
  struct Site {
    std::string path;
    Grid grid;
    std::size_t scale = 0, codes = 0;  ///< fetches
    std::int64_t channels = 0;
  };
  const std::vector<Site>& sites() const { return sites_; }

  /// What a site's fetches say while its bounds are 1.
  static Calibrator::Levels levels(const Site& site, std::span<const float> scale, std::span<const float> codes);

 private:
  Graph graph_;
  std::vector<Site> sites_;
};

}  // namespace qfw
