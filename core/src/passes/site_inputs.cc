#include "passes/site_inputs.h"

#include <algorithm>

#include "passes/finish.h"
#include "passes/forward.h"

namespace qfw {

namespace {

/// Leaves all operands as they are, and notes the inputs of layers.
struct Recorder final : Quantizer {
  struct Input {
    MatmulSite site;
    Value value;
  };
  mutable std::vector<Input> inputs;

  Operand quantize(GraphBuilder&, const MatmulSite& site, Role role, Value operand, Phase) const override {
    if (role == Role::src) inputs.push_back({site, operand});
    return operand;
  }
};

void record(const StepDescription& description, GraphBuilder& g, const Recorder& recorder) {
  StepDescription floats = description;
  floats.quantizer_of = [&](std::string_view) { return SiteQuantizer{&recorder, 0}; };
  floats.quantization.require_integer = false;
  quantized_logits(floats, g);
}

}  // namespace

std::vector<MatmulSite> matmul_sites(const StepDescription& description) {
  GraphBuilder g({.training = false});
  const Recorder recorder;
  record(description, g, recorder);
  std::vector<MatmulSite> sites;
  for (const Recorder::Input& input : recorder.inputs) sites.push_back(input.site);
  return sites;
}

SiteInputs site_inputs(const StepDescription& description, const std::set<std::string, std::less<>>& paths) {
  GraphBuilder g({.training = false});
  const Recorder recorder;
  record(description, g, recorder);
  SiteInputs result;
  std::vector<Use> fetched;
  for (const auto& [site, value] : recorder.inputs) {
    if (!paths.contains(site.path)) continue;
    const Use use{value.node(), value.output()};
    const auto known = std::ranges::find(fetched, use);
    result.fetch_of[site.path] = static_cast<std::size_t>(known - fetched.begin());
    if (known != fetched.end()) continue;
    fetched.push_back(use);
    g.fetch(site.path, value);
  }
  result.graph = finish(g.graph(), description.replicas);
  return result;
}

}  // namespace qfw
