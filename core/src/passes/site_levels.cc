#include "passes/site_levels.h"

#include <cstring>

#include "graph/builder_access.h"
#include "passes/finish.h"

namespace qfw {

namespace {

constexpr int steps = 64;  // of the ramp, which goes from the grid's first level to the next

/// As a layer's input with so many pixels or rows: row i holds value_of(i) in all channels.
template <class ValueOf>
Value rows_of(GraphBuilder& g, const Shape& shape, ValueOf value_of) {
  const std::int64_t channels = shape.channels();
  std::vector<std::byte> bytes(static_cast<std::size_t>(shape.count()) * sizeof(float));
  for (std::int64_t i = 0; i < shape.count(); ++i) {
    const float value = value_of(i / channels);
    std::memcpy(&bytes[static_cast<std::size_t>(i) * sizeof(float)], &value, sizeof value);
  }
  return BuilderAccess::tensor(g,
                               {"ramp", {shape, DType::f32}, std::make_shared<const std::vector<std::byte>>(std::move(bytes))});
}

Value in_f32(Value x) { return x.is_number() || x.dtype() == DType::f32 ? x : cast(x, DType::f32); }

}  // namespace

SiteLevels::SiteLevels(const StepDescription& description, const std::vector<MatmulSite>& sites,
                       const std::set<std::string, std::less<>>& paths) {
  GraphBuilder g({.training = false});
  for (MatmulSite site : sites) {
    if (!paths.contains(site.path)) continue;
    const std::int64_t channels = site.src.shape.channels();
    site.src.shape = site.is_dense() ? Shape{steps, channels} : Shape{1, 8, steps / 8, channels};
    const auto [quantizer, phase] = description.quantizer_of(site.path);
    const auto path = BuilderAccess::at_path(g, site.path);
    const auto role = g.scope("src");
    const Operand any = quantizer->quantize(g, site, Role::src, rows_of(g, site.src.shape, [](auto) { return 0.f; }), phase);
    if (!any.grid) continue;
    const float low = any.grid->low;  // the ramp passes by ties
    const Value ramp =
        rows_of(g, site.src.shape, [&](std::int64_t row) { return low + (static_cast<float>(row) + 0.5f) / steps; });
    const Operand codes = quantizer->quantize(g, site, Role::src, ramp / in_f32(any.scale), phase);
    const std::size_t first = g.graph().fetches.size();
    g.fetch(site.path + " scale", in_f32(any.scale));
    g.fetch(site.path + " codes", in_f32(codes.codes));
    sites_.push_back({site.path, *any.grid, first, first + 1, channels});
  }
  graph_ = finish(g.graph(), description.replicas);
}

Calibrator::Levels SiteLevels::levels(const Site& site, std::span<const float> scale, std::span<const float> codes) {
  int below = 0;  // rows that become the first level
  const auto channels = static_cast<std::size_t>(site.channels);
  while (below < steps && codes[static_cast<std::size_t>(below) * channels] <= site.grid.low) ++below;
  return {.grid = site.grid, .scale = scale.front(), .rounding = 1 - static_cast<double>(below) / steps};
}

}  // namespace qfw
