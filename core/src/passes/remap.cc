#include "passes/remap.h"

namespace qfw {

void remap(QuantizedSite& site, const Moved& moved) {
  for (Use* use : {&site.src.codes, &site.src.scale, &site.weights.codes, &site.weights.scale, &site.matmul, &site.sums,
                   &site.factor, &site.product, &site.backward}) {
    if (use->node >= 0) *use = moved(*use);
  }
}

void copy_uses(const Graph& from, Graph& to, const Moved& moved) {
  for (const auto& [variable, use] : from.updates) to.updates.emplace_back(variable, moved(use));
  for (const Fetch& fetch : from.fetches) to.fetches.push_back({fetch.name, moved(fetch.use)});
  for (QuantizedSite site : from.sites) {
    remap(site, moved);
    to.sites.push_back(std::move(site));
  }
}

}  // namespace qfw
